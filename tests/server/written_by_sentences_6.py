"""Run by a Python that has sentence-transformers 6: `FOLDER KIND SETTINGS DESTINATION` saves it as that version does.

SETTINGS, JSON: keyword arguments of the class KIND, with `pooling` and `normalize` for the modules of an embedder.
Of a SparseEncoder: the attributes of its SpladePooling.
"""

import json
import sys


def main(folder: str, kind: str, settings: str, destination: str) -> None:
    import sentence_transformers
    import torch

    own = json.loads(settings)
    if kind == "CrossEncoder":
        activation = getattr(torch.nn, own.pop("activation", "Sigmoid"))()
        model = sentence_transformers.CrossEncoder(folder, activation_fn=activation, device="cpu", **own)
    elif kind == "SparseEncoder":
        model = sentence_transformers.SparseEncoder(folder, device="cpu")
        for name, value in own.items():
            setattr(model[1], name, value)
    else:
        from sentence_transformers.base.modules import Normalize, Transformer
        from sentence_transformers.sentence_transformer.modules import Pooling

        first = Transformer(folder)
        modules = [first, Pooling(first.get_embedding_dimension(), pooling_mode=own.pop("pooling", "mean"))]
        modules += [Normalize()] if own.pop("normalize", False) else []
        model = sentence_transformers.SentenceTransformer(modules=modules, device="cpu", **own)
    model.save(destination)


if __name__ == "__main__":
    sys.path.append(sys.argv.pop(1))
    main(*sys.argv[1:])
