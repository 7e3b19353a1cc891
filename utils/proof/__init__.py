"""Golden requests and answers, and the comparison with what a running server answers."""
