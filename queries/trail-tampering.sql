-- Who stopped, removed or narrowed a trail, tried or done. Replace the two dates.
select event_time, recipient_account_id, aws_region, user_arn, user_access_key_id, source_ip_address, event_name, error_code,
       request_parameters, source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and event_source = 'cloudtrail.amazonaws.com'
  and event_name in ('StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors', 'PutInsightSelectors',
                     'StopEventDataStoreIngestion', 'DeleteEventDataStore', 'UpdateEventDataStore', 'DeleteResourcePolicy',
                     'DeregisterOrganizationDelegatedAdmin')
order by event_time, source_key, source_index
