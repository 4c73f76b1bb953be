"""The schema's history, run by :mod:`fleet.migrate`.

A new one: ``.venv/bin/alembic -c fleet/migrations/alembic.ini revision --rev-id 0002 -m "what changes"``, then fill it
in, and add its number to ``fleet.db.REVISIONS``. A test compares what the migrations make with ``fleet.models``.
"""
