"""The settings of the embedded PostgreSQL, all of them ours; rewritten at every start."""

from pathlib import Path

# Durability first: these three are the promise behind every "accepted" (TRUST.md) and are never off, not even for tests.
_DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
}
_SIZED = {
    "shared_buffers": "256MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "max_connections": "200",
    # Far apart, so that full-page images after a checkpoint stay rare beside the matching batches.
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "wal_buffers": "16MB",
}
_STEADY = {
    # Plans are short and known; compiling them costs more than running them.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "random_page_cost": "1.1",
    # A title for `ps` with every message costs more than the shortest statements; pg_stat_activity says the same.
    "update_process_title": "off",
    # Books, balances and open orders are rewritten in place many times a second: clean them often and in small bites,
    # and do not let a burst of inserts (commands, fills, postings) go unanalysed.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_vacuum_threshold": "500",
    "autovacuum_vacuum_insert_scale_factor": "0.2",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_delay": "1ms",
    "autovacuum_max_workers": "2",
    # A client that vanished must not keep a book's lock.
    "tcp_keepalives_idle": "30",
    "client_connection_check_interval": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%p ",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_lock_waits": "on",
    "log_min_duration_statement": "1s",
    "unix_socket_permissions": "0700",
    "listen_addresses": "",
    "password_encryption": "scram-sha-256",
}

HBA = """# type  database  user  method: the socket's directory is private, and still nobody enters without the password
local   all       all   scram-sha-256
"""


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def postgresql_conf(socket_dir: Path, *, shared_buffers: str | None = None) -> str:
    settings = {**_DURABLE, **_SIZED, **_STEADY, "unix_socket_directories": str(socket_dir)}
    if shared_buffers is not None:
        settings["shared_buffers"] = shared_buffers
    lines = [f"{name} = {_quoted(value)}" for name, value in settings.items()]
    return "# Written at every start of `manage.py up`; changes here are lost.\n" + "\n".join(lines) + "\n"
