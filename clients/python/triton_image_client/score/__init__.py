"""`score`: a file of rows through a served model, in order, resumable after a kill."""
