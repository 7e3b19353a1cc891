"""The main process of the served image, around Triton. Standard library of Python 3.8 only, like all of this folder."""
