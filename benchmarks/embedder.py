"""The embedder alone: what would make it faster, where its time goes, and how fast another model is.

python -m benchmarks.embedder --filings DIR                  other ways to compute the model, against the product's
python -m benchmarks.embedder --profile                      where the time of a call goes, by kind of operation
python -m benchmarks.embedder --against all-MiniLM-L6-v2     two models on the same chunks, each with its tokenizer

All take turns in one process. Other programs on the machine slow a turn down, so look at the ratios: of the seconds
that CPUs worked for this process, which other programs change little, and of the seconds that went by. Above 1 is
faster than the product. `best` compares the fastest turn of each; `median` the turns of each round, with the quartiles.
A variant is worth keeping when its ratio is 1.05 and the least cosine of its vectors to the product's is 0.9999. Names
in brackets are limits: what remains when parts of the model are left out.
"""

import argparse
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.corpus import chunk_texts
from benchmarks.embedder_variants import FLOAT32, SAME, VARIANTS, CompiledVariant, Vectors, padded
from benchmarks.table import Table, add_json_option
from vector_assets.cli.demo import SAMPLES
from vector_assets.domain.chunks import TokenizedText
from vector_assets.embedding.bundled.unpacking import MULTILINGUAL_MODEL
from vector_assets.embedding.model_files import find_model
from vector_assets.ports import Embedder
from vector_assets.services import Services
from vector_assets.settings import load_settings

_BATCH = 32
_LENGTH_STEP = 8


@dataclass(frozen=True)
class Turn:
    """What one turn took: seconds that CPUs worked for this process, and seconds that went by."""

    cpu: float
    wall: float


def timed(work: Callable[[], object]) -> Turn:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Turn(time.process_time() - cpu, time.perf_counter() - wall)


def take_turns(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[Turn]]:
    """Let all work once a round, in the opposite order every second round."""
    turns: dict[str, list[Turn]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name in list(contestants)[:: 1 if number % 2 == 0 else -1]:
            turns[name].append(timed(contestants[name]))
    return turns


def ratios(base: Sequence[Turn], other: Sequence[Turn]) -> tuple[str, str, str]:
    """How many times as fast the other is: best and median by the CPU's seconds, median by the clock's."""
    best = min(turn.cpu for turn in base) / min(turn.cpu for turn in other)
    cpu = [one.cpu / two.cpu for one, two in zip(base, other, strict=True)]
    wall = [one.wall / two.wall for one, two in zip(base, other, strict=True)]
    return f"{best:.3f}", spread(cpu), spread(wall)


def spread(values: Sequence[float]) -> str:
    low, high = np.percentile(values, [25, 75])
    return f"{statistics.median(values):.3f} ({low:.3f} to {high:.3f})"


def embed_in_batches(embedder: Embedder, texts: Sequence[TokenizedText], size: int = _BATCH) -> Vectors:
    """Embed as a run does: longest texts first, batch by batch, as many batches at once as the embedder takes."""
    order = sorted(range(len(texts)), key=lambda row: -texts[row].tokens_embedded)
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    with ThreadPoolExecutor(embedder.concurrency) as threads:
        found = list(threads.map(lambda rows: embedder.embed([texts[row] for row in rows]), batches))
    vectors = np.empty((len(texts), embedder.space.dimension), np.float32)
    vectors[order] = np.concatenate(found)
    return vectors


def texts_of_width(texts: Sequence[TokenizedText], width: int, count: int) -> list[TokenizedText]:
    """Put the tokens of texts together, and divide them into texts that are padded to this width."""
    first, last = texts[0].ids[:1], texts[0].ids[-1:]
    stream = np.concatenate([text.ids[1:-1] for text in texts])
    choice, made, at = random.Random(width), [], 0
    for _ in range(count):
        inner = width - choice.randrange(_LENGTH_STEP) - 2
        ids = np.concatenate([first, np.resize(stream[at:], inner), last]).astype(np.int32)
        made.append(TokenizedText("", len(ids), len(ids), 0, ids))
        at = (at + inner) % (len(stream) - inner)
    return made


def compare_variants(services: Services, texts: Sequence[TokenizedText], arguments: argparse.Namespace) -> None:
    """Print a row for each variant and width."""
    columns = ("tokens", "variant", "best", "median (CPU)", "median (clock)", "cosine to product", "to float32")
    table = Table(*columns, json_file=arguments.json)
    embedder = services.embedder
    for width in arguments.tokens:
        made = texts_of_width(texts, width, arguments.texts)
        product = partial(embed_in_batches, embedder, made, -(-len(made) // embedder.concurrency))
        variants = compiled_variants(services, width, arguments)
        ids = [text.ids for text in made]
        contestants: dict[str, Callable[[], Vectors]] = {
            "product": product,
            **{name: partial(variant.embed, ids) for name, variant in variants.items()},
        }
        vectors = {name: embed().copy() for name, embed in contestants.items()}
        turns = take_turns(
            {name: contestants[name] for name in contestants if shown(name, arguments)}, arguments.rounds
        )
        for name, of_variant in turns.items():
            cosines = [f"{least_cosine(vectors[name], vectors[other]):.5f}" for other in ("product", FLOAT32.name)]
            table.add(width, name, *ratios(turns["product"], of_variant), *cosines)


def shown(name: str, arguments: argparse.Namespace) -> bool:
    """Return whether the options ask for this contestant."""
    return name == "product" or any(part in name for part in arguments.only)


def compiled_variants(services: Services, width: int, arguments: argparse.Namespace) -> dict[str, CompiledVariant]:
    """Compile the variants that are asked for, and float32; those that OpenVINO refuses are named."""
    folder = find_model(services.embedder.space.source, services.settings.models_dir).path
    compiled = {}
    for variant in VARIANTS:
        if not shown(variant.name, arguments) and variant is not FLOAT32:
            continue
        try:
            compiled[variant.name] = variant.compile(folder, width)
        except RuntimeError as error:
            print(f"OpenVINO refuses {variant.name!r}: {' '.join(str(error).split())[-160:]}")
    return compiled


def least_cosine(one: Vectors, other: Vectors) -> float:
    return float((one * other).sum(axis=1).min())


# OpenVINO's names of kinds of operation, and what they are in this model.
_KINDS = {
    "FullyConnected": "matrix products with weights, and GELU",
    "Subgraph": "attention",
    "Transpose": "transposes",
    "Add": "residual additions and norms",
    "MVN": "residual additions and norms",
    "MulAdd": "residual additions and norms",
    "Reorder": "conversions between bfloat16 and float32",
    "Gather": "embeddings of words and positions",
}


def profile(services: Services, texts: Sequence[TokenizedText], arguments: argparse.Namespace) -> None:
    """Print what each kind of operation takes: the sum of the fastest of each operation, over many small calls."""
    folder = find_model(services.embedder.space.source, services.settings.models_dir).path
    table = Table("tokens", "operations", "ms", "share", json_file=arguments.json)
    for width in arguments.tokens:
        call = padded([text.ids for text in texts_of_width(texts, width, 2)], width)
        request = SAME.compile(folder, width, profiled=True).compiled.create_infer_request()
        fastest: dict[tuple[str, str], float] = defaultdict(lambda: float("inf"))
        for _ in range(20 * arguments.rounds):
            request.infer(call)
            for node in request.profiling_info:
                key = node.node_type, node.node_name
                fastest[key] = min(fastest[key], node.real_time.total_seconds())
        by_kind: dict[str, float] = defaultdict(float)
        for (node_type, _), seconds in fastest.items():
            by_kind[_KINDS.get(node_type, "other")] += seconds
        for kind, seconds in sorted(by_kind.items(), key=lambda item: -item[1]):
            table.add(width, kind, seconds * 1000, f"{seconds / sum(by_kind.values()):.1%}")


class Contestant:
    """A model and the seconds that it takes, with and without tokenizing."""

    def __init__(self, model: str, chunks: Sequence[str]) -> None:
        self.embedder = configured_services(model).embedder
        self.tokenized = self.embedder.tokenize(chunks)
        self.embed()

    def embed(self, rows: slice = slice(_BATCH)) -> Turn:
        """Embed chunks that are tokenized already."""
        return timed(partial(embed_in_batches, self.embedder, self.tokenized[rows]))

    def tokenize(self, chunks: Sequence[str]) -> Turn:
        """Tokenize chunks again."""
        return timed(partial(self.embedder.tokenize, chunks))


def compare_models(chunks: Sequence[str], arguments: argparse.Namespace) -> None:
    """Print a row for each of the two models, then their ratio over the same chunks, turn by turn."""
    models = {name: Contestant(name, chunks) for name in (arguments.model, arguments.against)}
    parts = [slice(start, start + 4 * _BATCH) for start in range(0, len(chunks), 4 * _BATCH)] * arguments.rounds
    embedding: dict[str, list[Turn]] = {name: [] for name in models}
    both: dict[str, list[Turn]] = {name: [] for name in models}
    for number, part in enumerate(parts):
        for name in list(models)[:: 1 if number % 2 == 0 else -1]:
            embedded, tokenized = models[name].embed(part), models[name].tokenize(chunks[part])
            embedding[name].append(embedded)
            both[name].append(Turn(embedded.cpu + tokenized.cpu, embedded.wall + tokenized.wall))
    columns = ("model", "chunks", "tokens a chunk", "truncated", "chunks per CPU second", "tokenizing", "chunks/s")
    table = Table(*columns, json_file=arguments.json)
    embedded_chunks = len(chunks) * arguments.rounds
    for name, model in models.items():
        cpu, wall = (sum(getattr(turn, kind) for turn in both[name]) for kind in ("cpu", "wall"))
        tokens = statistics.mean(text.tokens_embedded for text in model.tokenized)
        truncated = sum(text.token_count > text.tokens_embedded for text in model.tokenized)
        tokenizing = 1 - sum(turn.cpu for turn in embedding[name]) / cpu
        table.add(
            name, len(chunks), tokens, truncated, embedded_chunks / cpu, f"{tokenizing:.1%}", embedded_chunks / wall
        )
    print_ratios(arguments, embedding, both)


def print_ratios(arguments: argparse.Namespace, *turns: Mapping[str, list[Turn]]) -> None:
    """Print how fast the model is in the speed of the one it is compared with."""
    print(f"\n{arguments.model} / {arguments.against}, the same chunks in turns")
    table = Table("what", "all turns (CPU)", "median (CPU)", "median (clock)")
    for what, measured in zip(("embedding", "tokenizing and embedding"), turns, strict=True):
        own, others = measured[arguments.model], measured[arguments.against]
        overall = sum(turn.cpu for turn in others) / sum(turn.cpu for turn in own)
        _, cpu, wall = ratios(others, own)
        table.add(what, overall, cpu, wall)


def configured_services(model: str) -> Services:
    """The services with a model that is named, which need no database."""
    services = Services(load_settings(embedding_model=model))
    services.chunker = services.configured_chunker
    return services


def sampled_chunks(services: Services, filings: Path, count: int) -> list[str]:
    """Different chunks in a random order, all of them or so many."""
    chunks = list(dict.fromkeys(chunk_texts(services, filings)))
    random.Random(0).shuffle(chunks)
    return chunks[:count]


def main() -> None:
    """Run what the options ask for."""
    arguments = parsed_arguments()
    services = configured_services(arguments.model)
    chunks = sampled_chunks(services, arguments.filings, arguments.chunks)
    print(f"{services.embedder.device}, {services.embedder.concurrency} calls at once\n", flush=True)
    if arguments.against:
        compare_models(chunks, arguments)
        return
    texts = services.embedder.tokenize(chunks)
    (profile if arguments.profile else compare_variants)(services, texts, arguments)


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filings", type=Path, default=SAMPLES, help="a landing directory; default: the samples")
    parser.add_argument("--model", default=MULTILINGUAL_MODEL, help="a bundled model; default: the multilingual one")
    parser.add_argument("--tokens", type=int, nargs="+", default=[192], help="tokens of a text, e.g. 128 256 512")
    parser.add_argument("--texts", type=int, default=32, help="texts that a variant embeds in a turn; default: 32")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each; more where the quartiles lie far apart")
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="PART", help="variants whose names contain one of these"
    )
    parser.add_argument("--chunks", type=int, default=1000, help="chunks that are taken from the filings")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--profile", action="store_true", help="show where the time of a call goes")
    other.add_argument("--against", metavar="MODEL", help="compare with this model, e.g. all-MiniLM-L6-v2")
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
