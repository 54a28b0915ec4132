-- Who switched off or blinded GuardDuty, Config, Security Hub or Macie, tried or done. Replace the two dates.
select event_time, recipient_account_id, aws_region, user_arn, user_access_key_id, source_ip_address, event_source, event_name,
       error_code, request_parameters, source_key, source_index
from trailproof
where event_date between '2026-02-28' and '2026-03-01'
  and event_source in ('guardduty.amazonaws.com', 'config.amazonaws.com', 'securityhub.amazonaws.com',
                       'macie2.amazonaws.com')
  and event_name in (
      'DeleteDetector', 'UpdateDetector', 'DeleteMembers', 'DisassociateMembers', 'StopMonitoringMembers',
      'DisassociateFromMasterAccount', 'DisassociateFromAdministratorAccount', 'DeletePublishingDestination',
      'UpdatePublishingDestination', 'CreateFilter', 'UpdateFilter', 'CreateIPSet', 'UpdateIPSet', 'DeleteThreatIntelSet',
      'UpdateMemberDetectors', 'UpdateOrganizationConfiguration', 'DisableOrganizationAdminAccount',
      'StopConfigurationRecorder', 'DeleteConfigurationRecorder', 'PutConfigurationRecorder', 'DeleteDeliveryChannel',
      'DeleteConfigRule', 'DeleteOrganizationConfigRule', 'DeleteConfigurationAggregator', 'DeleteRemediationConfiguration',
      'DisableSecurityHub', 'DisableSecurityHubV2', 'BatchDisableStandards', 'DisableImportFindingsForProduct',
      'UpdateStandardsControl', 'BatchUpdateFindings', 'CreateAutomationRule', 'DisableMacie', 'UpdateMacieSession')
order by event_time, source_key, source_index
