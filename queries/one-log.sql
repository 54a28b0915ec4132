-- The records of one log, in its order. Replace the two dates (a day on each side of the log's) and the object key.
select source_index, event_time, recipient_account_id, aws_region, event_source, event_name, user_arn, integrity
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and source_key = 'AWSLogs/o-exampleorgid/025000000044/CloudTrail/us-east-1/2026/02/28/025000000044_CloudTrail_us-east-1_20260228T2335Z_mrtyqJ8jEdW6vNpP.json.gz'
order by source_index
