-- Sessions that came from sessions: each role assumed with the credentials of a role, the key that was given out, and the call
-- that gave the caller its own key, where it lies in the dates. Replace the two dates, twice each.
-- The given key is cut out of the JSON text: CloudTrail writes it without spaces, and every engine cuts alike.
select hop.event_time, hop.recipient_account_id, hop.source_ip_address, hop.session_issuer_arn as caller_role,
       hop.user_arn as caller, hop.user_access_key_id as caller_key, hop.request_parameters as asked,
       split_part(split_part(hop.response_elements, '"accessKeyId":"', 2), '"', 1) as given_key,
       hop.event_id, earlier.event_id as earlier_event_id, earlier.user_arn as earlier_caller,
       earlier.source_ip_address as earlier_source_ip_address
from trailproof as hop
left join (
    select event_id, user_arn, source_ip_address,
           split_part(split_part(response_elements, '"accessKeyId":"', 2), '"', 1) as given_key
    from trailproof
    where event_date between '2026-02-28' and '2026-03-01'
      and event_source = 'sts.amazonaws.com'
      and event_name in ('AssumeRole', 'AssumeRoleWithSAML', 'AssumeRoleWithWebIdentity')
      and error_code is null
) as earlier on earlier.given_key = hop.user_access_key_id
where hop.event_date between '2026-02-28' and '2026-03-01'
  and hop.event_source = 'sts.amazonaws.com'
  and hop.event_name = 'AssumeRole'
  and hop.user_type = 'AssumedRole'
  and hop.error_code is null
order by hop.event_time, hop.event_id
