"""The only assembly point: what Dagster loads."""

import dagster as dg

from orchestration.assets import Warehouse, models, publication, raw_events
from orchestration.checks import erasures_in_time, every_model_test, raw_batch_quality, source_freshness
from orchestration.jobs import erasures, hourly_quality, micro_batch, nightly, retention, weekly_reports
from orchestration.schedules import every_hour, every_night, every_night_after_tests, every_week, safety_net
from orchestration.sensors import erasure_sensor, landing_sensor

defs = dg.Definitions(
    assets=[raw_events, models, publication],
    asset_checks=[raw_batch_quality, source_freshness, every_model_test, erasures_in_time],
    jobs=[micro_batch, hourly_quality, nightly, retention, weekly_reports, erasures],
    sensors=[landing_sensor, erasure_sensor],
    schedules=[safety_net, every_hour, every_night, every_night_after_tests, every_week],
    resources={"warehouse": Warehouse()},
)
