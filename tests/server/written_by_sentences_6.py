"""Run by a Python that has sentence-transformers 6: `PACKAGES JOBS` saves folders as that version does, and answers.

JOBS is JSON: a list of {"source", "kind", "settings", "folder", "texts"}. `settings` are keyword arguments of the class
`kind`, with `pooling`, `dense` (the arguments of Dense) and `normalize` for the modules of an embedder. The last line
on stdout is JSON: for each job the answer to each text (a pair for a CrossEncoder) alone, by the model loaded from the
saved folder.
"""

import json
import sys
from typing import Any


def save(source: str, kind: str, settings: dict[str, Any], folder: str) -> None:
    import sentence_transformers
    import torch

    own = dict(settings)
    if kind == "CrossEncoder":
        activation = getattr(torch.nn, own.pop("activation", "Sigmoid"))()
        model = sentence_transformers.CrossEncoder(source, activation_fn=activation, device="cpu", **own)
    else:
        from sentence_transformers.base.modules import Dense, Normalize, Transformer
        from sentence_transformers.sentence_transformer.modules import Pooling

        first = Transformer(source)
        modules = [first, Pooling(first.get_embedding_dimension(), pooling_mode=own.pop("pooling", "mean"))]
        modules += [Dense(**own.pop("dense"))] if "dense" in own else []
        modules += [Normalize()] if own.pop("normalize", False) else []
        model = sentence_transformers.SentenceTransformer(modules=modules, device="cpu", **own)
    model.save(folder)


def answers(kind: str, folder: str, texts: list[Any]) -> list[Any]:
    import sentence_transformers

    model = getattr(sentence_transformers, kind)(folder, device="cpu")
    answer = model.encode if hasattr(model, "encode") else model.predict
    return [answer([each])[0].tolist() for each in texts]


def main(jobs: str) -> None:
    found = []
    for job in json.loads(jobs):
        save(job["source"], job["kind"], job["settings"], job["folder"])
        found.append(answers(job["kind"], job["folder"], job["texts"]))
    print(json.dumps(found))


if __name__ == "__main__":
    sys.path.append(sys.argv[1])
    main(sys.argv[2])
