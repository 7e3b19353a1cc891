"""What a finished build shows of itself: report.json, report.html and a model card, in its build tree."""
