-- New ways in: access keys, console passwords, users and other credentials that were made, tried or done, and for whom.
-- Replace the two dates.
select event_time, recipient_account_id, user_arn, user_access_key_id, source_ip_address, event_name, error_code,
       request_parameters, source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and event_source = 'iam.amazonaws.com'
  and event_name in ('CreateAccessKey', 'UpdateAccessKey', 'CreateLoginProfile', 'UpdateLoginProfile', 'CreateUser',
                     'CreateServiceSpecificCredential', 'ResetServiceSpecificCredential', 'UploadSigningCertificate',
                     'UploadSSHPublicKey', 'CreateVirtualMFADevice', 'DeactivateMFADevice', 'CreateSAMLProvider',
                     'UpdateSAMLProvider', 'CreateOpenIDConnectProvider', 'AddClientIDToOpenIDConnectProvider')
order by event_time, source_key, source_index
