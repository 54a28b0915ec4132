-- Sessions that came from sessions: each role assumed with the credentials of a role, the session and key that were given out,
-- and the call that gave the caller its own key, where it lies in the dates. Replace the two dates, twice each.
-- What was given is cut out of the JSON text: CloudTrail writes it without spaces, and every engine cuts alike.
select hop.event_time, hop.recipient_account_id, hop.source_ip_address, hop.user_arn as caller,
       hop.user_access_key_id as caller_key,
       split_part(split_part(hop.response_elements, '"arn":"', 2), '"', 1) as given_session,
       split_part(split_part(hop.response_elements, '"accessKeyId":"', 2), '"', 1) as given_key,
       hop.source_key, hop.source_index,
       earlier.user_arn as earlier_caller, earlier.source_ip_address as earlier_source_ip_address,
       earlier.source_key as earlier_source_key, earlier.source_index as earlier_source_index
from trailproof as hop
left join (
    select user_arn, source_ip_address, source_key, source_index,
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
order by hop.event_time, hop.source_key, hop.source_index
