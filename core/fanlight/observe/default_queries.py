"""The metrics from SQL that there always are, over the relations of the process.

Their endpoints and names are those of Materialize; what they tell is what a
Python process has of it: workers, objects, threads, live relations.  Names for
which a process has nothing are not here.  Each query reads relations that cost
microseconds, and that everybody may read but where it says so.
"""

from __future__ import annotations

from .. import __version__
from .queries import MetricQuery, MetricQuerySet

_NOW = "epoch_ms(now()::timestamptz)"


def _count(name: str, what: str, kind: str) -> MetricQuery:
    query = f"SELECT count(*) AS value FROM process.objects WHERE kind = '{kind}'"
    return MetricQuery(metric_name=name, help=f"{what} in the catalog.", query=query)


USAGE = MetricQuerySet(
    "mz_usage",
    (
        MetricQuery(
            metric_name="mz_compute_cluster_status",
            help="Worker processes that are registered, this one first; size is the number of its threads.",
            query=f"""
                SELECT DISTINCT ON (cluster_id, replica_id)
                    cluster_id AS compute_cluster_id, replica_id AS compute_replica_id,
                    cluster_name AS compute_cluster_name, replica_name AS compute_replica_name,
                    CASE WHEN own THEN (SELECT count(*) FROM process.threads)::text ELSE '' END AS size,
                    '' AS availability_zone, CASE WHEN own THEN '{__version__}' ELSE '' END AS mz_version,
                    1 AS value
                FROM process.workers ORDER BY cluster_id, replica_id""",
        ),
        MetricQuery(
            metric_name="mz_workload_clusters",
            help="Clusters of workers.",
            query="""
                SELECT DISTINCT cluster_id, cluster_name, '' AS workload_class, 1 AS value
                FROM process.workers ORDER BY cluster_id""",
        ),
        MetricQuery(
            metric_name="mz_clusters_count",
            help="Clusters of workers, this process included.",
            query="SELECT count(DISTINCT cluster_id) AS value FROM process.workers",
        ),
        MetricQuery(
            metric_name="mz_cluster_reps_count",
            help="Replicas, by the number of their processes.",
            query="""
                SELECT size::text AS size, count(*) AS value
                FROM (SELECT count(*) AS size FROM process.workers GROUP BY cluster_id, replica_id)
                GROUP BY size ORDER BY size""",
        ),
        MetricQuery(
            metric_name="mz_sources_count",
            help="Sources in the catalog.",
            query="""
                SELECT 'none' AS type, 'none' AS envelope_type, 'none' AS size, count(*) AS value
                FROM process.objects WHERE kind = 'Source'""",
        ),
        _count("mz_views_count", "Views, live relations included,", "View"),
        _count("mz_secrets_count", "Secrets", "Secret"),
        MetricQuery(
            metric_name="mz_sinks_count",
            help="Sinks in the catalog.",
            query="""
                SELECT 'none' AS type, 'none' AS envelope_type, 'none' AS size, count(*) AS value
                FROM process.objects WHERE kind = 'Sink'""",
        ),
        MetricQuery(
            metric_name="mz_connections_count",
            help="Open connections to this server by protocol.",
            query="""
                SELECT labels->>'protocol' AS type, sum(value) AS value FROM process.metrics
                WHERE name = 'fanlight_connections_open' GROUP BY ALL ORDER BY ALL""",
        ),
        _count("mz_tables_count", "Tables", "Table"),
        MetricQuery(
            metric_name="mz_catalog_items",
            help="Objects in the catalog by id.",
            query="SELECT id AS label, 0 AS value FROM process.objects ORDER BY id",
        ),
        MetricQuery(
            metric_name="mz_object_id",
            help="Objects in the catalog by id and full name.",
            query="""
                SELECT id AS label1, concat_ws('.', nullif(database_name, ''), schema_name, name) AS label2, 0 AS value
                FROM process.objects ORDER BY id""",
        ),
    ),
)

FRONTIER = MetricQuerySet(
    "mz_frontier",
    (
        MetricQuery(
            metric_name="mz_write_frontier",
            help="When a relation was last up to date, in Unix milliseconds: live ones are with every look.",
            query=f"SELECT id AS collection_id, {_NOW} AS value FROM process.objects WHERE kind = 'View' ORDER BY id",
        ),
        MetricQuery(
            metric_name="mz_read_frontier",
            help="How far back a relation tells, in Unix milliseconds: live ones keep nothing.",
            query=f"""
                SELECT id AS collection_id, {_NOW} AS value FROM process.objects
                WHERE kind = 'View' AND (schema_name, name) NOT IN (('process', 'requests'), ('process', 'log_records'))
                ORDER BY id""",
        ),
        # The two that keep rows are for internal users and superusers: for others this one is left out.
        MetricQuery(
            metric_name="mz_read_frontier",
            help="How far back a relation tells, in Unix milliseconds: live ones keep nothing.",
            query=f"""
                SELECT id AS collection_id, coalesce(CASE name
                    WHEN 'requests' THEN (SELECT epoch_ms(min(arrived_at)) FROM process.requests)
                    ELSE (SELECT epoch_ms(min(logged_at)) FROM process.log_records) END, {_NOW}) AS value
                FROM process.objects WHERE schema_name = 'process' AND name IN ('requests', 'log_records')
                ORDER BY id""",
        ),
        MetricQuery(
            metric_name="mz_replica_write_frontiers",
            help="The same for each replica that has the relation: this process.",
            query=f"""
                SELECT o.id AS collection_id, w.cluster_id AS instance_id, w.replica_id, {_NOW} AS value
                FROM process.objects o, process.workers w WHERE o.kind = 'View' AND w.own ORDER BY o.id""",
        ),
    ),
)

COMPUTE = MetricQuerySet(
    "mz_compute",
    (
        MetricQuery(
            metric_name="mz_arrangement_record_count",
            help="Rows of the relations that are cheap to count.",
            query="""
                SELECT p.pid AS worker_id, o.id AS collection_id, c.value FROM (
                    SELECT 'tasks' AS name, count(*) AS value FROM process.tasks UNION ALL
                    SELECT 'threads', count(*) FROM process.threads UNION ALL
                    SELECT 'modules', count(*) FROM process.modules UNION ALL
                    SELECT 'workers', count(*) FROM process.workers UNION ALL
                    SELECT 'objects', count(*) FROM process.objects) c
                JOIN process.objects o ON o.name = c.name AND o.schema_name = 'process',
                    process.workers p WHERE p.own ORDER BY o.id""",
            per_replica=True,
        ),
        MetricQuery(
            metric_name="mz_compute_replica_park_duration_seconds_total",
            help="Seconds since the process began in which the thread of an event loop was on no processor.",
            query="""
                SELECT DISTINCT coalesce(t.native_id, t.ident) AS worker_id,
                    greatest(0, epoch(now()) - m.value - t.cpu_seconds) AS value
                FROM process.threads t JOIN process.tasks k ON k.thread = t.ident,
                    process.metrics m WHERE m.name = 'process_start_time_seconds' AND t.cpu_seconds IS NOT NULL""",
            per_replica=True,
        ),
        MetricQuery(
            metric_name="mz_compute_replica_peek_count",
            help="Requests under way that may run SQL.",
            query="""
                SELECT p.pid AS worker_id, (
                    SELECT coalesce(sum(value), 0) FROM process.metrics WHERE name = 'mz_http_requests_active'
                        AND labels->>'path' IN ('/api/sql', '/api/experimental/sql')) AS value
                FROM process.workers p WHERE p.own""",
            per_replica=True,
        ),
        MetricQuery(
            metric_name="mz_dataflow_elapsed_seconds_total",
            help="Processor time of each thread; collection_id is the thread's name.",
            query="""
                SELECT coalesce(native_id, ident) AS worker_id, coalesce(name, '') AS collection_id,
                    cpu_seconds AS value
                FROM process.threads WHERE cpu_seconds IS NOT NULL ORDER BY ident""",
            per_replica=True,
        ),
        # Log records are for internal users and superusers: for others this one is left out.
        MetricQuery(
            metric_name="mz_dataflow_error_count",
            help="Records of level ERROR and above among the latest log records; collection_id is the logger.",
            query="""
                SELECT logger AS collection_id, count(*) AS value FROM process.log_records
                WHERE level IN ('ERROR', 'CRITICAL') GROUP BY logger ORDER BY logger""",
            per_replica=True,
        ),
    ),
)

STORAGE = MetricQuerySet(
    "mz_storage",
    (
        MetricQuery(
            metric_name="mz_storage_objects",
            help="Sources and sinks in the catalog.",
            query="""
                SELECT id, 'none' AS type, lower(kind) AS object_type, 'none' AS connection_type,
                    'none' AS envelope_type, 'none' AS networking_type, 'none' AS format_connection,
                    'none' AS format_connection_networking, 's1' AS cluster_id, 's1' AS replica_id,
                    'none' AS synthesized_pod, 1 AS value
                FROM process.objects WHERE kind IN ('Source', 'Sink') ORDER BY id""",
        ),
    ),
)

DEFAULTS = (USAGE, FRONTIER, COMPUTE, STORAGE)
"""All of them, by endpoint."""
