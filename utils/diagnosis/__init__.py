"""What doctor.sh looks at. Standard library only, but for sample_model.py, admin_apis.py and prove.py."""
