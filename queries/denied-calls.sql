-- Who was denied what, how often, from when to when. Replace the two dates.
select recipient_account_id, user_arn, event_source, event_name, error_code, count(*) as calls,
       min(event_time) as first_seen, max(event_time) as last_seen
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and error_code in ('AccessDenied', 'AccessDeniedException', 'Client.UnauthorizedOperation', 'UnauthorizedOperation',
                     'UnauthorizedAccess', 'UnauthorizedException', 'NotAuthorized', 'NotAuthorizedException',
                     'AuthorizationError', 'AuthorizationErrorException', 'Forbidden', 'ForbiddenException',
                     'VpceAccessDenied')
group by recipient_account_id, user_arn, event_source, event_name, error_code
order by calls desc, user_arn, event_source, event_name
