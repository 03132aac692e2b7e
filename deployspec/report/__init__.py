"""Everything to an in-toto statement and back, and the statement's views for people.

Nothing is imported here: `verify` needs the statement without what composing a report needs.
"""
