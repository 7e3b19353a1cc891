"""What only OCR needs: contracts of its graphs, golden pictures, reading by any detector and recognizer."""
