"""--eval-file: rows with their right answers, and how well a model's answers agree with them."""
