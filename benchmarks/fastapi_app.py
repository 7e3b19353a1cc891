"""A contestant: the model as transformers on PyTorch behind FastAPI, one request at a time in a pool of threads."""

import os

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer

FOLDER = os.environ["MODEL"]
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
model = AutoModelForSequenceClassification.from_pretrained(FOLDER).eval()
app = FastAPI()


class Question(BaseModel):
    """The body of a request."""

    texts: list[str]


@app.get("/ready")
def ready() -> bool:
    """The model is loaded when the application is."""
    return True


@app.post("/classify")
def classify(question: Question) -> dict[str, list[str] | list[float]]:
    """The best label of each text, and its probability."""
    with torch.inference_mode():
        tokens = tokenizer(question.texts, padding=True, truncation=True, return_tensors="pt")
        best = model(**tokens).logits.softmax(-1).max(-1)
    return {"predicts": [model.config.id2label[int(each)] for each in best.indices], "scores": best.values.tolist()}
