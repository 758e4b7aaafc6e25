"""The bundled embedder on texts as alike as the boilerplate of filings: it is never blamed for that."""

from pathlib import Path

import numpy as np

from vector_assets.quality.drift import REFERENCE_TEXTS, compare_reference_vectors
from vector_assets.quality.limits import QualityLimits
from vector_assets.quality.vectors import Fault, inspect_rows, seen_as

from ..embedding.embedders import ENGLISH, openvino_embedder
from .vector_rows import boilerplate


def test_texts_that_differ_in_one_number_raise_no_alarm(converted_models: Path) -> None:
    """In float32, where they come out nearest; nor do texts that differ only in what the model does not see."""
    embedder = openvino_embedder(ENGLISH, converted_models, "f32")
    dimension = embedder.space.dimension
    alike = boilerplate(60)
    texts = [*alike, alike[0].upper(), alike[1].replace(" ", "\n"), "董事", "监事", *REFERENCE_TEXTS]

    tokens = embedder.tokenize(texts)
    vectors = embedder.embed(tokens)
    seen = [seen_as(text) for text in tokens]

    assert len(set(seen)) == len(texts) - 3  # upper case, line breaks and what tells the Chinese apart are lost on it
    assert inspect_rows(vectors, seen, dimension) == []
    cosines = vectors[:60] @ vectors[:60].T - 2 * np.eye(60)
    assert cosines.max() > 0.999, "these texts no longer try what they should"
    again = embedder.embed(embedder.tokenize(REFERENCE_TEXTS))
    limit = QualityLimits().min_drift_cosine
    assert not compare_reference_vectors(vectors[-len(REFERENCE_TEXTS) :], again, limit).drifted

    vectors[7] = vectors[6]
    assert {bad.index: bad.fault for bad in inspect_rows(vectors, seen, dimension)} == {
        6: Fault.COLLAPSED,
        7: Fault.COLLAPSED,
    }
