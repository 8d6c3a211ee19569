"""The jobs an operator starts or sees in the run list."""

import dagster as dg

# In process: the default executor starts a process a step, 7–10 s for two trivial assets (measured).
micro_batch = dg.define_asset_job(
    "micro_batch",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Loads every complete landed file, builds and tests the models, publishes the marts.",
)
