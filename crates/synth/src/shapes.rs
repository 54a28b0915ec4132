//! The kinds of records, each as the JSON it has, with places to fill in.
//!
//! A place is `<name>`; [`super::records`] knows the names. Lines are joined and their indentation dropped, nothing else
//! changes, so a record keeps the spelling seen here: `243.0`, exponents, `tag` beside `Tag`, escapes, empty objects.
//! The shapes follow records of public archives and of the CloudTrail user guide; ids in them are made up.
//!
//! Spec: <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>

use super::cast::Who;

/// Where and in which logs a kind of record is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Data events: the mass of busy logs.
    Data,
    /// Management events, in every Region.
    Management,
    /// Management events of global services: only in the home Region.
    Global,
}

/// One kind of record.
pub(super) struct Shape {
    pub(super) class: Class,
    /// How often it is met, among those of its class.
    pub(super) weight: u32,
    pub(super) who: Who,
    pub(super) json: &'static str,
}

/// Texts that many shapes share, filled in before anything else.
pub(super) const PARTS: [(&str, &str); 6] = [
    ("<head>", r#""eventVersion":"<version>","userIdentity":<identity>,"eventTime":"<time>""#),
    ("<from>", r#""awsRegion":"<region>","sourceIPAddress":"<ip>","userAgent":"<agent>""#),
    ("<ids>", r#""requestID":"<guid>","eventID":"<guid>""#),
    (
        "<management>",
        r#""eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"<account>","eventCategory":"Management""#,
    ),
    (
        "<data>",
        r#""eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"<account>","eventCategory":"Data""#,
    ),
    ("<tls>", r#""tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256""#),
];

const fn data(weight: u32, who: Who, json: &'static str) -> Shape {
    Shape { class: Class::Data, weight, who, json }
}

const fn management(weight: u32, who: Who, json: &'static str) -> Shape {
    Shape { class: Class::Management, weight, who, json }
}

const fn global(weight: u32, who: Who, json: &'static str) -> Shape {
    Shape { class: Class::Global, weight, who, json }
}

/// Every kind of record.
pub(super) const SHAPES: [Shape; 52] = [
    data(
        240,
        Who::Machine,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"GetObject",<from>,
        "requestParameters":{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<object>/part-<number>.parquet"},
        "responseElements":null,
        "additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,
        "AuthenticationMethod":"AuthHeader","x-amz-id-2":"<amz-id>","bytesTransferredOut":<size>},
        "requestID":"<request>","eventID":"<guid>","readOnly":true,
        "resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<object>/part-<number>.parquet"},
        {"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<data>,
        "tlsDetails":{<tls>,"clientProvidedHostHeader":"<bucket>.s3.<region>.amazonaws.com"}}"#,
    ),
    data(
        120,
        Who::Machine,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"PutObject",<from>,
        "requestParameters":{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<object>/part-<number>.json.gz","x-amz-acl":"bucket-owner-full-control","x-amz-storage-class":"STANDARD_IA"},
        "responseElements":{"x-amz-server-side-encryption":"aws:kms","x-amz-server-side-encryption-aws-kms-key-id":"arn:aws:kms:<region>:<account>:key/<kms-key>"},
        "additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","bytesTransferredIn":<size>.0,"SSEApplied":"SSE_KMS",
        "AuthenticationMethod":"AuthHeader","x-amz-id-2":"<amz-id>","bytesTransferredOut":243.0},
        "requestID":"<request>","eventID":"<guid>","readOnly":false,
        "resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<object>/part-<number>.json.gz"},
        {"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<data>,"vpcEndpointId":"vpce-0a1b2c3d4e5f60718","vpcEndpointAccountId":"<account>"}"#,
    ),
    data(
        320,
        Who::Service,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"PutObject",<from>,
        "errorCode":"AccessDenied","errorMessage":"Access Denied",
        "requestParameters":{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","x-amz-acl":"bucket-owner-full-control","key":"AWSLogs/<account>/vpcflowlogs/<region>/<object>_<number>.log.gz"},
        "responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","bytesTransferredIn":0.0,
        "AuthenticationMethod":"AuthHeader","x-amz-id-2":"<amz-id>","bytesTransferredOut":243.0},
        "requestID":"<request>","eventID":"<guid>","readOnly":false,
        "resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/AWSLogs/<account>/vpcflowlogs/<region>/<object>_<number>.log.gz"},
        {"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<data>,"sharedEventID":"<guid>"}"#,
    ),
    data(
        460,
        Who::Service,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"PutObject",<from>,
        "requestParameters":{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<object>.log.gz","x-amz-acl":"bucket-owner-full-control"},
        "responseElements":{"x-amz-server-side-encryption":"AES256"},
        "additionalEventData":{"CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":<size>,"x-amz-id-2":"<amz-id>","bytesTransferredOut":0},
        "requestID":"<request>","eventID":"<guid>","readOnly":false,
        "resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<object>.log.gz"},
        {"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<data>}"#,
    ),
    data(
        60,
        Who::Person,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"GetObject",<from>,
        "errorCode":"AccessDenied","errorMessage":"User: arn:aws:iam::<account>:user/<user> is not authorized to perform: s3:GetObject on resource: \"arn:aws:s3:::<bucket>/<object>/report-<number>.csv\" because no identity-based policy allows the s3:GetObject action",
        "requestParameters":{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<object>/report-<number>.csv"},
        "responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,
        "AuthenticationMethod":"AuthHeader","x-amz-id-2":"<amz-id>","bytesTransferredOut":<size>},
        "requestID":"<request>","eventID":"<guid>","readOnly":true,
        "resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<object>/report-<number>.csv"},
        {"accountId":"","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<data>}"#,
    ),
    data(
        40,
        Who::Machine,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"ListObjects",<from>,
        "requestParameters":{"list-type":"2","bucketName":"<bucket>","encoding-type":"url","prefix":"<object>/","delimiter":"/","Host":"<bucket>.s3.<region>.amazonaws.com"},
        "responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,
        "AuthenticationMethod":"AuthHeader","x-amz-id-2":"<amz-id>","bytesTransferredOut":<size>},
        "requestID":"<request>","eventID":"<guid>","readOnly":true,
        "resources":[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::<bucket>/<object>/"},{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<data>,
        "tlsDetails":{<tls>,"clientProvidedHostHeader":"<bucket>.s3.<region>.amazonaws.com","keyExchange":"X25519MLKEM768"}}"#,
    ),
    data(
        30,
        Who::Machine,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"DeleteObjects",<from>,
        "requestParameters":{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","delete":""},
        "responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":<size>,
        "AuthenticationMethod":"AuthHeader","x-amz-id-2":"<amz-id>","bytesTransferredOut":<size>},
        "requestID":"<request>","eventID":"<guid>","readOnly":false,
        "resources":[{"type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::<bucket>/"},{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<data>}"#,
    ),
    data(
        240,
        Who::Machine,
        r#"{<head>,"eventSource":"dynamodb.amazonaws.com","eventName":"GetItem",<from>,
        "requestParameters":{"tableName":"<table>","key":{"pk":"customer#<number>","sk":"profile"},"consistentRead":false,"returnConsumedCapacity":"TOTAL"},
        "responseElements":null,<ids>,"readOnly":true,
        "resources":[{"accountId":"<account>","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:<region>:<account>:table/<table>"}],
        "apiVersion":"2012-08-10",<data>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"dynamodb.<region>.amazonaws.com"}}"#,
    ),
    data(
        90,
        Who::Machine,
        r#"{<head>,"eventSource":"lambda.amazonaws.com","eventName":"Invoke",<from>,
        "requestParameters":{"functionName":"arn:aws:lambda:<region>:<account>:function:<function>","sourceArn":"arn:aws:sqs:<region>:<account>:queue-<small>","contentType":"application/json","invocationType":"RequestResponse"},
        "responseElements":null,"additionalEventData":{"functionVersion":"arn:aws:lambda:<region>:<account>:function:<function>:$LATEST"},<ids>,"readOnly":false,
        "resources":[{"accountId":"<account>","type":"AWS::Lambda::Function","ARN":"arn:aws:lambda:<region>:<account>:function:<function>"}],<data>,
        "tlsDetails":{<tls>,"clientProvidedHostHeader":"lambda.<region>.amazonaws.com"}}"#,
    ),
    data(
        20,
        Who::Stranger,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"HeadObject",<from>,
        "requestParameters":{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","key":"<object>/index.html"},
        "responseElements":null,"additionalEventData":{"CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"x-amz-id-2":"<amz-id>","bytesTransferredOut":<size>},
        "requestID":"<request>","eventID":"<guid>","readOnly":true,
        "resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::<bucket>/<object>/index.html"},{"accountId":"<account>","ARN":"arn:aws:s3:::<bucket>"}],<data>}"#,
    ),
    management(
        150,
        Who::Machine,
        r#"{<head>,"eventSource":"kms.amazonaws.com","eventName":"Decrypt",<from>,
        "requestParameters":{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"aws:s3:arn":"arn:aws:s3:::<bucket>/<object>/part-<number>.parquet"}},
        "responseElements":null,<ids>,"readOnly":true,
        "resources":[{"accountId":"<account>","type":"AWS::KMS::Key","ARN":"arn:aws:kms:<region>:<account>:key/<kms-key>"}],<management>,"sharedEventID":"<guid>",
        "tlsDetails":{<tls>,"clientProvidedHostHeader":"kms.<region>.amazonaws.com"}}"#,
    ),
    management(
        260,
        Who::Service,
        r#"{<head>,"eventSource":"kms.amazonaws.com","eventName":"GenerateDataKey",<from>,
        "requestParameters":{"keyId":"arn:aws:kms:<region>:<account>:key/<kms-key>","keySpec":"AES_256","encryptionContext":{"aws:cloudtrail:arn":"arn:aws:cloudtrail:<region>:<account>:trail/org_audit-trail","aws:s3:arn":"arn:aws:s3:::<bucket>/AWSLogs/<account>/<object>.json.gz"}},
        "responseElements":null,<ids>,"readOnly":true,
        "resources":[{"accountId":"<account>","type":"AWS::KMS::Key","ARN":"arn:aws:kms:<region>:<account>:key/<kms-key>"}],<management>,"sharedEventID":"<guid>"}"#,
    ),
    management(
        60,
        Who::Service,
        r#"{<head>,"eventSource":"sts.amazonaws.com","eventName":"AssumeRole",<from>,
        "requestParameters":{"roleArn":"arn:aws:iam::<account>:role/<role>","roleSessionName":"<instance>","durationSeconds":3600},
        "responseElements":{"credentials":{"accessKeyId":"ASIA<key>","sessionToken":"<token>","expiration":"Mar 1, 2026, 12:56:03 AM"},
        "assumedRoleUser":{"assumedRoleId":"AROA<key>:<instance>","arn":"arn:aws:sts::<account>:assumed-role/<role>/<instance>"}},
        <ids>,"readOnly":true,"resources":[{"accountId":"<account>","type":"AWS::IAM::Role","ARN":"arn:aws:iam::<account>:role/<role>"}],<management>,"sharedEventID":"<guid>"}"#,
    ),
    management(
        20,
        Who::Machine,
        r#"{<head>,"eventSource":"sts.amazonaws.com","eventName":"AssumeRole",<from>,
        "requestParameters":{"roleArn":"arn:aws:iam::<account>:role/<role>","roleSessionName":"chained-<user>","sourceIdentity":"<user>","durationSeconds":900,"tags":[{"key":"ticket","value":"OPS-<number>"}]},
        "responseElements":{"credentials":{"accessKeyId":"ASIA<key>","sessionToken":"<token>","expiration":"Mar 1, 2026, 12:41:17 AM"},
        "assumedRoleUser":{"assumedRoleId":"AROA<key>:chained-<user>","arn":"arn:aws:sts::<account>:assumed-role/<role>/chained-<user>"},"sourceIdentity":"<user>","packedPolicySize":4},
        <ids>,"readOnly":true,"resources":[{"accountId":"<account>","type":"AWS::IAM::Role","ARN":"arn:aws:iam::<account>:role/<role>"}],<management>,
        "tlsDetails":{<tls>,"clientProvidedHostHeader":"sts.<region>.amazonaws.com"}}"#,
    ),
    management(
        12,
        Who::Person,
        r#"{<head>,"eventSource":"sts.amazonaws.com","eventName":"AssumeRole",<from>,
        "errorCode":"AccessDenied","errorMessage":"User: arn:aws:iam::<account>:user/<user> is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::<account>:role/<role>",
        "requestParameters":null,"responseElements":null,<ids>,"readOnly":true,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"sts.<region>.amazonaws.com"}}"#,
    ),
    management(
        40,
        Who::Person,
        r#"{<head>,"eventSource":"sts.amazonaws.com","eventName":"GetCallerIdentity",<from>,
        "requestParameters":null,"responseElements":null,<ids>,"readOnly":true,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"sts.<region>.amazonaws.com"}}"#,
    ),
    management(
        70,
        Who::Person,
        r#"{<head>,"eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances",<from>,
        "requestParameters":{"maxResults":1000,"instancesSet":{"items":[{"instanceId":"<instance>"}]},"filterSet":{}},"responseElements":null,<ids>,"readOnly":true,<management>,
        "tlsDetails":{<tls>,"clientProvidedHostHeader":"ec2.<region>.amazonaws.com"}}"#,
    ),
    management(
        30,
        Who::Console,
        r#"{<head>,"eventSource":"ec2.amazonaws.com","eventName":"DescribeVolumes",<from>,
        "requestParameters":{"volumeSet":{},"filterSet":{"items":[{"name":"attachment.instance-id","valueSet":{"items":[{"value":"<instance>"}]}}]}},"responseElements":null,<ids>,"readOnly":true,<management>,"sessionCredentialFromConsole":"true"}"#,
    ),
    management(
        30,
        Who::Console,
        r#"{<head>,"eventSource":"monitoring.amazonaws.com","eventName":"GetMetricData",<from>,
        "requestParameters":{"startTime":"Feb 28, 2026, 10:00:00 PM","endTime":"Feb 28, 2026, 11:00:00 PM","maxDatapoints":500},"responseElements":null,<ids>,"readOnly":true,"apiVersion":"2010-08-01",<management>,"sessionCredentialFromConsole":"true"}"#,
    ),
    management(
        8,
        Who::Machine,
        r#"{<head>,"eventSource":"ec2.amazonaws.com","eventName":"RunInstances",<from>,
        "requestParameters":{"instancesSet":{"items":[{"imageId":"ami-0abcdef1234567890","minCount":1,"maxCount":1,"keyName":"ops"}]},"instanceType":"m7g.large","blockDeviceMapping":{},"monitoring":{"enabled":false},"disableApiTermination":false,"clientToken":"<guid>",
        "metadataOptions":{"httpTokens":"required","httpPutResponseHopLimit":1},"tagSpecificationSet":{"items":[{"resourceType":"instance","tags":[{"key":"Name","value":"Zoë's \"test\" – \u2603 <small>"}]}]}},
        "responseElements":{"requestId":"<guid>","reservationId":"r-0<key>","ownerId":"<account>","groupSet":{},"instancesSet":{"items":[{"instanceId":"<instance>","imageId":"ami-0abcdef1234567890","instanceState":{"code":0,"name":"pending"},
        "privateDnsName":"ip-10-0-3-17.<region>.compute.internal","instanceType":"m7g.large","launchTime":<epoch-millis>,"placement":{"availabilityZone":"<region>a","tenancy":"default"},"monitoring":{"state":"disabled"},"subnetId":"subnet-0bb1c79de3EXAMPLE","vpcId":"vpc-0e9801d129EXAMPLE","privateIpAddress":"10.0.3.17","groupSet":{"items":[{"groupId":"<group>","groupName":"web"}]},"cpuOptions":{"coreCount":1.0,"threadsPerCore":2.0}}]}},
        <ids>,"readOnly":false,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"ec2.<region>.amazonaws.com"}}"#,
    ),
    management(
        4,
        Who::Console,
        r#"{<head>,"eventSource":"ec2.amazonaws.com","eventName":"CreateFlowLogs",<from>,
        "errorCode":"Client.FlowLogAlreadyExists","errorMessage":"Error. There is an existing Flow Log with the same configuration and log destination.",
        "requestParameters":{"CreateFlowLogsRequest":{"LogFormat":"${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${action}","ResourceId":{"tag":1,"content":"vpc-40349626"},"MaxAggregationInterval":600,"ResourceType":"VPC","LogDestination":"arn:aws:s3:::<bucket>",
        "TagSpecification":{"ResourceType":"vpc-flow-log","tag":1,"Tag":{"Value":"default-vpc-flowlog","tag":1,"Key":"Name"}},"LogDestinationType":"s3","TrafficType":"ALL"}},
        "responseElements":null,<ids>,"readOnly":false,<management>,"sessionCredentialFromConsole":"true"}"#,
    ),
    management(
        8,
        Who::Person,
        r#"{<head>,"eventSource":"ec2.amazonaws.com","eventName":"AuthorizeSecurityGroupIngress",<from>,
        "requestParameters":{"groupId":"<group>","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"groups":{},"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0","description":"temporary"}]},"ipv6Ranges":{},"prefixListIds":{}}]}},
        "responseElements":{"requestId":"<guid>","_return":true,"securityGroupRuleSet":{"items":[{"groupOwnerId":"<account>","groupId":"<group>","securityGroupRuleId":"sgr-0<key>","isEgress":false,"ipProtocol":"tcp","fromPort":22,"toPort":22,"cidrIpv4":"0.0.0.0/0"}]}},
        <ids>,"readOnly":false,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"ec2.<region>.amazonaws.com"}}"#,
    ),
    management(
        16,
        Who::Person,
        r#"{<head>,"eventSource":"ec2.amazonaws.com","eventName":"StartInstances",<from>,
        "errorCode":"Client.UnauthorizedOperation","errorMessage":"You are not authorized to perform this operation. User: arn:aws:iam::<account>:user/<user> is not authorized to perform: ec2:StartInstances on resource: arn:aws:ec2:<region>:<account>:instance/<instance> with an explicit deny in a service control policy. Encoded authorization failure message: <token>",
        "requestParameters":{"instancesSet":{"items":[{"instanceId":"<instance>"}]}},"responseElements":null,<ids>,"readOnly":false,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"ec2.<region>.amazonaws.com"}}"#,
    ),
    management(
        160,
        Who::Service,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"GetBucketAcl",<from>,
        "requestParameters":{"bucketName":"<bucket>","Host":"<bucket>.s3.<region>.amazonaws.com","acl":""},"responseElements":null,
        "additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"ECDHE-RSA-AES128-GCM-SHA256","bytesTransferredIn":0.0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<amz-id>","bytesTransferredOut":542.0},
        "requestID":"<request>","eventID":"<guid>","readOnly":true,"resources":[{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<management>,"sharedEventID":"<guid>"}"#,
    ),
    management(
        6,
        Who::Person,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"PutBucketPolicy",<from>,
        "requestParameters":{"bucketPolicy":{"Version":"2012-10-17","Statement":[{"Sid":"Share","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:root"},"Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::<bucket>","arn:aws:s3:::<bucket>/*"],"Condition":{"StringEquals":{"s3:x-amz-acl":"bucket-owner-full-control"}}}]},"bucketName":"<bucket>","Host":"s3.<region>.amazonaws.com","policy":""},
        "responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":<small>,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<amz-id>","bytesTransferredOut":0},
        "requestID":"<request>","eventID":"<guid>","readOnly":false,"resources":[{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"s3.<region>.amazonaws.com"}}"#,
    ),
    management(
        3,
        Who::Person,
        r#"{<head>,"eventSource":"s3.amazonaws.com","eventName":"PutBucketTagging",<from>,
        "requestParameters":{"bucketName":"<bucket>","Host":"s3.<region>.amazonaws.com","tagging":"","Tagging":{"xmlns":"http://s3.amazonaws.com/doc/2006-03-01/","TagSet":{"Tag":[{"Key":"team","Value":"web"},{"Key":"cost-center","Value":"<small>"}]}}},
        "responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":273,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"<amz-id>","bytesTransferredOut":0},
        "requestID":"<request>","eventID":"<guid>","readOnly":false,"resources":[{"accountId":"<account>","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::<bucket>"}],<management>}"#,
    ),
    management(
        14,
        Who::Machine,
        r#"{<head>,"eventSource":"ssm.amazonaws.com","eventName":"UpdateInstanceInformation",<from>,
        "requestParameters":{"instanceId":"<instance>","agentVersion":"3.3.3572.0","agentStatus":"Active","platformType":"Linux","platformName":"Amazon Linux","platformVersion":"2023","iPAddress":"10.0.3.17","computerName":"ip-10-0-3-17.<region>.compute.internal","agentName":"amazon-ssm-agent","availabilityZone":"<region>a","availabilityZoneId":"use1-az2","sSMConnectionChannel":"ssmmessages"},
        "responseElements":null,<ids>,"readOnly":false,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"ssm.<region>.amazonaws.com"}}"#,
    ),
    management(
        24,
        Who::Machine,
        r#"{<head>,"eventSource":"secretsmanager.amazonaws.com","eventName":"GetSecretValue",<from>,
        "requestParameters":{"secretId":"<secret>","versionStage":"AWSCURRENT"},"responseElements":null,<ids>,"readOnly":true,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"secretsmanager.<region>.amazonaws.com"}}"#,
    ),
    management(
        16,
        Who::Machine,
        r#"{<head>,"eventSource":"ssm.amazonaws.com","eventName":"GetParameter",<from>,
        "requestParameters":{"name":"/<secret>","withDecryption":true},"responseElements":null,<ids>,"readOnly":true,"resources":[{"accountId":"<account>","ARN":"arn:aws:ssm:<region>:<account>:parameter/<secret>"}],<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"ssm.<region>.amazonaws.com"}}"#,
    ),
    management(
        36,
        Who::Machine,
        r#"{<head>,"eventSource":"logs.amazonaws.com","eventName":"CreateLogStream",<from>,
        "requestParameters":{"logGroupName":"/aws/lambda/<function>","logStreamName":"2026/02/28/[$LATEST]<request>"},"responseElements":null,<ids>,"readOnly":false,"apiVersion":"20140328",<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"logs.<region>.amazonaws.com"}}"#,
    ),
    management(
        20,
        Who::Machine,
        r#"{<head>,"eventSource":"ecr.amazonaws.com","eventName":"BatchGetImage",<from>,
        "requestParameters":{"registryId":"<account>","repositoryName":"<function>","imageIds":[{"imageTag":"release-<small>"}],"acceptedMediaTypes":["application/vnd.docker.distribution.manifest.v2+json","application/vnd.oci.image.manifest.v1+json"]},
        "responseElements":null,<ids>,"readOnly":true,"resources":[{"accountId":"<account>","ARN":"arn:aws:ecr:<region>:<account>:repository/<function>"}],<management>}"#,
    ),
    management(
        6,
        Who::Machine,
        r#"{<head>,"eventSource":"lambda.amazonaws.com","eventName":"UpdateFunctionCode20150331v2",<from>,
        "requestParameters":{"functionName":"<function>","publish":false,"dryRun":false,"s3Bucket":"<bucket>","s3Key":"<object>.zip"},
        "responseElements":{"functionName":"<function>","functionArn":"arn:aws:lambda:<region>:<account>:function:<function>","runtime":"python3.13","role":"arn:aws:iam::<account>:role/<role>","handler":"app.handler","codeSize":<size>,"timeout":30,"memorySize":512,"lastModified":"<time>","version":"$LATEST","environment":{},"tracingConfig":{"mode":"PassThrough"},"revisionId":"<guid>","architectures":["arm64"],"ephemeralStorage":{"size":512}},
        <ids>,"readOnly":false,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"lambda.<region>.amazonaws.com"}}"#,
    ),
    management(
        5,
        Who::Service,
        r#"{<head>,"eventSource":"rds.amazonaws.com","eventName":"CreateDBSnapshot",<from>,
        "requestParameters":{"dBSnapshotIdentifier":"nightly-<number>","dBInstanceIdentifier":"db-<small>"},
        "responseElements":{"dBSnapshotIdentifier":"nightly-<number>","engine":"postgres","status":"creating","allocatedStorage":100,"percentProgress":0,"snapshotDatabaseTime":"Feb 28, 2026, 11:04:05 PM","masterUsername":"postgres","encrypted":true,"kmsKeyId":"arn:aws:kms:<region>:<account>:key/<kms-key>","dBSnapshotArn":"arn:aws:rds:<region>:<account>:snapshot:nightly-<number>"},
        <ids>,"readOnly":false,<management>}"#,
    ),
    management(
        10,
        Who::Machine,
        r#"{<head>,"eventSource":"cloudformation.amazonaws.com","eventName":"DescribeStackEvents",<from>,
        "requestParameters":{"stackName":"arn:aws:cloudformation:<region>:<account>:stack/<function>/<guid>"},"responseElements":null,<ids>,"readOnly":true,<management>}"#,
    ),
    management(
        8,
        Who::Stranger,
        r#"{<head>,"eventSource":"sts.amazonaws.com","eventName":"AssumeRoleWithSAML",<from>,
        "requestParameters":{"sAMLAssertionID":"_<guid>","roleSessionName":"ines@example.com","durationSeconds":3600,"roleArn":"arn:aws:iam::<account>:role/<role>","principalArn":"arn:aws:iam::<account>:saml-provider/idp"},
        "responseElements":{"subjectType":"persistent","issuer":"https://idp.example.com/saml","credentials":{"accessKeyId":"ASIA<key>","sessionToken":"<token>","expiration":"Mar 1, 2026, 12:56:03 AM"},"nameQualifier":"<amz-id>","assumedRoleUser":{"assumedRoleId":"AROA<key>:ines@example.com","arn":"arn:aws:sts::<account>:assumed-role/<role>/ines@example.com"},"subject":"ines@example.com","audience":"https://signin.aws.amazon.com/saml"},
        <ids>,"readOnly":true,"resources":[{"accountId":"<account>","type":"AWS::IAM::Role","ARN":"arn:aws:iam::<account>:role/<role>"}],<management>}"#,
    ),
    management(
        4,
        Who::Stranger,
        r#"{<head>,"eventSource":"secretsmanager.amazonaws.com","eventName":"RotationStarted",<from>,
        "requestParameters":null,"responseElements":null,"additionalEventData":{"SecretId":"arn:aws:secretsmanager:<region>:<account>:secret:<secret>"},
        "requestID":"Rotation-arn:aws:secretsmanager:<region>:<account>:secret:<secret>","eventID":"<guid>","readOnly":false,"eventType":"AwsServiceEvent","managementEvent":true,"recipientAccountId":"<account>",
        "serviceEventDetails":{"rotationToken":"<guid>","attempt":1},"eventCategory":"Management"}"#,
    ),
    management(
        6,
        Who::Service,
        r#"{<head>,"eventSource":"autoscaling.amazonaws.com","eventName":"SetDesiredCapacity",<from>,
        "errorCode":"ScalingActivityInProgressFault","errorMessage":"Scaling activity 2c0e5d4a is in progress and blocks this action",
        "requestParameters":{"autoScalingGroupName":"asg-<small>","desiredCapacity":4,"honorCooldown":true},"responseElements":null,<ids>,"readOnly":false,<management>,
        "addendum":{"reason":"DELIVERY_DELAY"}}"#,
    ),
    management(
        5,
        Who::Person,
        r#"{<head>,"eventSource":"athena.amazonaws.com","eventName":"StartQueryExecution",<from>,
        "requestParameters":{"clientRequestToken":"<guid>","queryString":"***OMITTED***","queryExecutionContext":{"database":"lake"},"resultConfiguration":{"outputLocation":"s3://<bucket>/athena/"},"workGroup":"primary"},
        "responseElements":{"queryExecutionId":"<guid>"},<ids>,"readOnly":false,<management>}"#,
    ),
    management(
        3,
        Who::Machine,
        r#"{<head>,"eventSource":"ecs.amazonaws.com","eventName":"RegisterTaskDefinition",<from>,
        "requestParameters":{"reason":"requestParameters too large","omitted":"true","originalSize":"149893"},
        "responseElements":{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:<region>:<account>:task-definition/web:<small>","revision":<small>,"status":"ACTIVE","registeredAt":<epoch>,"registeredBy":"arn:aws:iam::<account>:role/<role>"}},
        <ids>,"readOnly":false,<management>}"#,
    ),
    management(
        1,
        Who::Person,
        r#"{<head>,"eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging",<from>,
        "requestParameters":{"name":"arn:aws:cloudtrail:<region>:<account>:trail/team-trail"},"responseElements":null,<ids>,"readOnly":false,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"cloudtrail.<region>.amazonaws.com"}}"#,
    ),
    management(
        1,
        Who::Person,
        r#"{<head>,"eventSource":"cloudtrail.amazonaws.com","eventName":"PutEventSelectors",<from>,
        "requestParameters":{"trailName":"team-trail","eventSelectors":[{"readWriteType":"ReadOnly","includeManagementEvents":false,"dataResources":[],"excludeManagementEventSources":["kms.amazonaws.com"]}]},
        "responseElements":{"trailARN":"arn:aws:cloudtrail:<region>:<account>:trail/team-trail","eventSelectors":[{"readWriteType":"ReadOnly","includeManagementEvents":false,"dataResources":[],"excludeManagementEventSources":["kms.amazonaws.com"]}]},<ids>,"readOnly":false,<management>}"#,
    ),
    management(
        1,
        Who::Person,
        r#"{<head>,"eventSource":"guardduty.amazonaws.com","eventName":"DeleteDetector",<from>,
        "errorCode":"AccessDenied","errorMessage":"User: arn:aws:iam::<account>:user/<user> is not authorized to perform: guardduty:DeleteDetector with an explicit deny in a service control policy",
        "requestParameters":{"detectorId":"12abc34d567e8fa901bc2d34e56789f0"},"responseElements":{"message":"access denied","__type":"AccessDeniedException"},<ids>,"readOnly":false,<management>}"#,
    ),
    global(
        40,
        Who::Login,
        r#"{<head>,"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin",<from>,
        "requestParameters":null,"responseElements":{"ConsoleLogin":"Success"},
        "additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true&state=hashArgsFromTB_<region>_66fbf5a3f29341ff","MobileVersion":"No","MFAIdentifier":"arn:aws:iam::<account>:mfa/<user>","MFAUsed":"Yes"},
        "eventID":"<guid>","readOnly":false,"eventType":"AwsConsoleSignIn","managementEvent":true,"recipientAccountId":"<account>","eventCategory":"Management","tlsDetails":{<tls>,"clientProvidedHostHeader":"<region>.signin.aws.amazon.com"}}"#,
    ),
    global(
        12,
        Who::Login,
        r#"{<head>,"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin",<from>,
        "requestParameters":null,"responseElements":{"ConsoleLogin":"Success"},
        "additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true","MobileVersion":"No","MFAUsed":"No"},
        "eventID":"<guid>","readOnly":false,"eventType":"AwsConsoleSignIn","managementEvent":true,"recipientAccountId":"<account>","eventCategory":"Management"}"#,
    ),
    global(
        8,
        Who::Login,
        r#"{<head>,"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin",<from>,
        "errorMessage":"Failed authentication","requestParameters":null,"responseElements":{"ConsoleLogin":"Failure"},
        "additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"No"},
        "eventID":"<guid>","readOnly":false,"eventType":"AwsConsoleSignIn","managementEvent":true,"recipientAccountId":"<account>","eventCategory":"Management"}"#,
    ),
    global(
        2,
        Who::Root,
        r#"{<head>,"eventSource":"signin.amazonaws.com","eventName":"ConsoleLogin",<from>,
        "requestParameters":null,"responseElements":{"ConsoleLogin":"Success"},
        "additionalEventData":{"LoginTo":"https://console.aws.amazon.com/console/home","MobileVersion":"No","MFAUsed":"Yes"},
        "eventID":"<guid>","readOnly":false,"eventType":"AwsConsoleSignIn","managementEvent":true,"recipientAccountId":"<account>","eventCategory":"Management"}"#,
    ),
    global(
        3,
        Who::Root,
        r#"{<head>,"eventSource":"iam.amazonaws.com","eventName":"GetAccountSummary",<from>,
        "requestParameters":null,"responseElements":null,<ids>,"readOnly":true,<management>,"sessionCredentialFromConsole":"true"}"#,
    ),
    global(
        4,
        Who::Person,
        r#"{<head>,"eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey",<from>,
        "requestParameters":{"userName":"<user>"},"responseElements":{"accessKey":{"userName":"<user>","accessKeyId":"AKIA<key>","status":"Active","createDate":"Feb 28, 2026, 11:10:42 PM"}},<ids>,"readOnly":false,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"iam.amazonaws.com"}}"#,
    ),
    global(
        3,
        Who::Person,
        r#"{<head>,"eventSource":"iam.amazonaws.com","eventName":"AttachRolePolicy",<from>,
        "requestParameters":{"roleName":"<role>","policyArn":"arn:aws:iam::aws:policy/AdministratorAccess"},"responseElements":null,<ids>,"readOnly":false,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"iam.amazonaws.com"}}"#,
    ),
    global(
        3,
        Who::Person,
        r#"{<head>,"eventSource":"iam.amazonaws.com","eventName":"PutRolePolicy",<from>,
        "requestParameters":{"roleName":"<role>","policyName":"inline","policyDocument":"{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"s3:*\", \"Resource\": \"*\"}]\n}"},"responseElements":null,<ids>,"readOnly":false,<management>}"#,
    ),
    global(
        30,
        Who::Person,
        r#"{<head>,"eventSource":"iam.amazonaws.com","eventName":"ListRoles",<from>,
        "requestParameters":{"maxItems":1000},"responseElements":null,<ids>,"readOnly":true,<management>,"tlsDetails":{<tls>,"clientProvidedHostHeader":"iam.amazonaws.com"}}"#,
    ),
    global(
        4,
        Who::Console,
        r#"{<head>,"eventSource":"health.amazonaws.com","eventName":"DescribeEventAggregates",<from>,
        "requestParameters":{"aggregateField":"eventTypeCategory","filter":{"eventStatusCodes":["open","upcoming"],"startTimes":[{"from":<epoch>}]}},"responseElements":null,<ids>,"readOnly":true,<management>,"sessionCredentialFromConsole":"true"}"#,
    ),
];
