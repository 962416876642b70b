"""PostgreSQL and Valkey out of wheels, for machines that have neither; every setting is written here.

Nothing in this package knows Django: settings and test start-up import it before Django exists.
"""
