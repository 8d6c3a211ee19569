"""The only assembly point: what Dagster loads."""

import dagster as dg

from orchestration.assets import Warehouse, models, publication, raw_events
from orchestration.jobs import micro_batch
from orchestration.schedules import safety_net
from orchestration.sensors import landing_sensor

defs = dg.Definitions(
    assets=[raw_events, models, publication],
    jobs=[micro_batch],
    sensors=[landing_sensor],
    schedules=[safety_net],
    resources={"warehouse": Warehouse()},
)
