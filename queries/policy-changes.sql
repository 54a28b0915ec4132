-- Who changed what anyone may do: policies of identities, roles' trust, policies of buckets, keys and the organization, tried
-- or done. Replace the two dates.
select event_time, recipient_account_id, user_arn, user_access_key_id, source_ip_address, event_source, event_name, error_code,
       request_parameters, source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and event_source in ('iam.amazonaws.com', 's3.amazonaws.com', 'kms.amazonaws.com', 'organizations.amazonaws.com',
                       'sso.amazonaws.com', 'secretsmanager.amazonaws.com', 'lambda.amazonaws.com')
  and event_name in (
      'AttachUserPolicy', 'AttachGroupPolicy', 'AttachRolePolicy', 'DetachUserPolicy', 'DetachGroupPolicy',
      'DetachRolePolicy', 'PutUserPolicy', 'PutGroupPolicy', 'PutRolePolicy', 'DeleteUserPolicy', 'DeleteGroupPolicy',
      'DeleteRolePolicy', 'CreatePolicy', 'CreatePolicyVersion', 'SetDefaultPolicyVersion', 'DeletePolicy',
      'DeletePolicyVersion', 'UpdateAssumeRolePolicy', 'AddUserToGroup', 'PutUserPermissionsBoundary',
      'DeleteUserPermissionsBoundary', 'PutRolePermissionsBoundary', 'DeleteRolePermissionsBoundary',
      'PutBucketPolicy', 'DeleteBucketPolicy', 'PutBucketAcl', 'PutBucketPublicAccessBlock', 'DeleteBucketPublicAccessBlock',
      'PutAccountPublicAccessBlock', 'DeleteAccountPublicAccessBlock', 'PutKeyPolicy', 'CreateGrant',
      'AttachPolicy', 'DetachPolicy', 'UpdatePolicy', 'DisablePolicyType', 'AttachManagedPolicyToPermissionSet',
      'PutInlinePolicyToPermissionSet', 'CreateAccountAssignment', 'PutResourcePolicy', 'DeleteResourcePolicy',
      'AddPermission20150331v2')
order by event_time, source_key, source_index
