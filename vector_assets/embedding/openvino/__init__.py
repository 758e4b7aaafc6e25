"""Runs embedding models on CPUs with OpenVINO.

`embedder` is the `Embedder` port; `conversion` makes an OpenVINO model of a sentence-transformers model;
`converted_models` keeps it on disk; `compiled_model` computes with it; `library` imports OpenVINO.
"""
