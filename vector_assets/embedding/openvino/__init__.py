"""The embedder for CPUs: a model converted once, kept on disk, compiled and run by OpenVINO."""
