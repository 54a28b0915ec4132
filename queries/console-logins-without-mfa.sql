-- Console logins that succeeded without MFA. Replace the two dates. Logins of single sign-on (user_type AssumedRole) say No
-- even where the identity provider asked for MFA. CloudTrail writes this JSON without spaces, so LIKE finds it.
select event_time, recipient_account_id, user_type, user_name, user_arn, source_ip_address, user_agent, source_key,
       source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and event_source = 'signin.amazonaws.com'
  and event_name = 'ConsoleLogin'
  and additional_event_data like '%"MFAUsed":"No"%'
  and error_message is null
order by event_time, source_key, source_index
