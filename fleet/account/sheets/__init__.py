"""Spreadsheets as people send them, read row by row; and CSV that runs nothing where it is opened."""
