"""Every kernel that reduces the samples of a breath to numbers. ``extract`` runs them.

The names of the numbers stand in
``breath_features``. Importing the package loads no compiler.
"""
