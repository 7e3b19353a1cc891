"""The checks of doctor.sh. Standard library only, except sample_model.py, admin_apis.py and prove.py."""
