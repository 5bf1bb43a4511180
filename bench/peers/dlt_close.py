"""Close's leads and activities into PostgreSQL by dlt: a peer of the benchmark `bench/history.ts`.

Written as dlt's documentation advises: the REST API source with its own paginator, resources read
in parallel, files of a size that lets the normalizer use all cores, COPY instead of INSERT, a
primary key with `merge`. Nesting: `DLT_NESTING=0` keeps arrays as JSON, without it dlt de-nests.
"""

import os

import dlt
from dlt.sources.helpers.rest_client.paginators import OffsetPaginator
from dlt.sources.rest_api import rest_api_source


def lists(*names):
    return [
        {
            "name": name,
            "endpoint": {"path": path, "params": params, "data_selector": "data"},
            "parallelized": True,
        }
        for name, path, params in names
    ]


source = rest_api_source(
    {
        "client": {
            "base_url": os.environ["CLOSE_API_URL"],
            "auth": {
                "type": "http_basic",
                "username": os.environ["CLOSE_API_KEY"],
                "password": "",
            },
            "paginator": OffsetPaginator(
                limit=100,
                limit_param="_limit",
                offset_param="_skip",
                total_path=None,
                stop_after_empty_page=True,
            ),
        },
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": lists(
            ("leads", "lead/", {"query": "sort:date_updated"}),
            ("activities", "activity/", {}),
        ),
    }
)
nesting = os.environ.get("DLT_NESTING")
if nesting is not None:
    source.max_table_nesting = int(nesting)

pipeline = dlt.pipeline(
    pipeline_name="close",
    pipelines_dir=os.environ["DLT_FOLDER"],
    destination=dlt.destinations.postgres(os.environ["DATABASE_URL"]),
    dataset_name="dlt",
)
print(pipeline.run(source, loader_file_format="csv"))
