"""Queries as CloudTrail's and Athena's guides publish them, over AWS's own names, and their answers in plain Python.

Those in SQL that every engine shares run as they are. The others use functions of Athena alone; sqlglot reads them as
Athena's and writes them for DuckDB.
"""

from collections import Counter

import sqlglot

from plain import at, user

COMMON = {
    "who did what": (
        """SELECT useridentity.arn, eventname, sourceipaddress, eventtime
FROM cloudtrail_logs
WHERE useridentity.arn LIKE '%user/%' AND eventsource = 's3.amazonaws.com'""",
        lambda records: [
            (user(r, "arn"), r["eventName"], r["sourceIPAddress"], r["eventTime"])
            for r in records
            if "user/" in (user(r, "arn") or "") and r["eventSource"] == "s3.amazonaws.com"
        ],
    ),
    "a span of time": (
        """SELECT eventname, count(*) AS calls
FROM cloudtrail_logs
WHERE eventtime >= '2026-02-28T23:00:00Z' AND eventtime < '2026-03-01T01:00:00Z'
GROUP BY eventname""",
        lambda records: counted(
            r["eventName"] for r in records if "2026-02-28T23:00:00Z" <= r["eventTime"] < "2026-03-01T01:00:00Z"
        ),
    ),
    "anonymous requests to S3": (
        """SELECT eventid, requestparameters IS NULL
FROM cloudtrail_logs
WHERE eventsource = 's3.amazonaws.com'
    AND useridentity.accountid IN ('anonymous', 'ANONYMOUS_PRINCIPAL')
    AND useridentity.arn IS NULL
    AND requestparameters LIKE '%example-%'""",
        lambda records: [
            (r["eventID"], False)
            for r in records
            if r["eventSource"] == "s3.amazonaws.com"
            and (user(r, "accountId") or "").lower().startswith("anonymous")
            and user(r, "arn") is None
            and "example-" in str(r.get("requestParameters"))
        ],
    ),
    "console logins without MFA": (
        """SELECT useridentity.username, sourceipaddress, eventtime, additionaleventdata IS NOT NULL
FROM cloudtrail_logs
WHERE eventname = 'ConsoleLogin' AND additionaleventdata LIKE '%"MFAUsed":"No"%'""",
        lambda records: [
            (user(r, "userName"), r["sourceIPAddress"], r["eventTime"], True)
            for r in records
            if r["eventName"] == "ConsoleLogin" and at(r, "additionalEventData.MFAUsed") == "No"
        ],
    ),
    "roles that were used": (
        """SELECT useridentity.sessioncontext.sessionissuer.username, count(eventname) AS calls
FROM cloudtrail_logs
WHERE useridentity.type = 'AssumedRole' AND useridentity.sessioncontext.attributes.mfaauthenticated = 'false'
GROUP BY useridentity.sessioncontext.sessionissuer.username""",
        lambda records: counted(
            user(r, "sessionContext.sessionIssuer.userName")
            for r in records
            if user(r, "type") == "AssumedRole" and user(r, "sessionContext.attributes.mfaAuthenticated") == "false"
        ),
    ),
    "a day and a Region, by their partitions": (
        """SELECT account, count(*) AS changes
FROM cloudtrail_logs
WHERE region = 'us-east-1' AND year = '2026' AND month = '03' AND day = '01' AND readonly = 'false'
GROUP BY account""",
        lambda records: counted(
            r["_account"]
            for r in records
            if r["_region"] == "us-east-1" and r["eventTime"].startswith("2026-03-01") and r.get("readOnly") is False
        ),
    ),
    "TLS versions": (
        """SELECT eventsource, tlsdetails.tlsversion, count(*) AS calls
FROM cloudtrail_logs
WHERE tlsdetails.tlsversion IS NOT NULL
GROUP BY eventsource, tlsdetails.tlsversion""",
        lambda records: counted(
            (r["eventSource"], at(r, "tlsDetails.tlsVersion")) for r in records if at(r, "tlsDetails.tlsVersion")
        ),
    ),
}

ATHENA = {
    "buckets, by json_extract": (
        """SELECT json_extract(requestparameters, '$.bucketName') AS bucket, count(*) AS calls
FROM cloudtrail_logs
WHERE eventsource = 's3.amazonaws.com'
GROUP BY 1""",
        lambda records: counted(
            f'"{at(r, "requestParameters.bucketName")}"' if at(r, "requestParameters.bucketName") else None
            for r in records
            if r["eventSource"] == "s3.amazonaws.com"
        ),
    ),
    "MFA, by json_extract_scalar": (
        """SELECT json_extract_scalar(additionaleventdata, '$.MFAUsed') AS mfa, count(*) AS logins
FROM cloudtrail_logs
WHERE eventname = 'ConsoleLogin'
GROUP BY 1""",
        lambda records: counted(
            at(r, "additionalEventData.MFAUsed") for r in records if r["eventName"] == "ConsoleLogin"
        ),
    ),
    "after a moment, by from_iso8601_timestamp": (
        """SELECT eventid
FROM cloudtrail_logs
WHERE from_iso8601_timestamp(eventtime) > from_iso8601_timestamp('2026-03-01T00:30:00Z')""",
        lambda records: [(r["eventID"],) for r in records if r["eventTime"] > "2026-03-01T00:30:00Z"],
    ),
    "resources, by UNNEST": (
        """SELECT unnested.arn, count(*) AS calls
FROM cloudtrail_logs
CROSS JOIN UNNEST(resources) AS unnested(arn, accountid, type)
WHERE unnested.arn IS NOT NULL
GROUP BY unnested.arn""",
        lambda records: counted(
            resource["ARN"] for r in records for resource in r.get("resources") or [] if "ARN" in resource
        ),
    ),
}


def counted(groups):
    """Groups with their counts, as rows."""
    return [(*(group if isinstance(group, tuple) else (group,)), count) for group, count in Counter(groups).items()]


def for_duckdb(text):
    """A query of Athena's in DuckDB's dialect."""
    translated = sqlglot.transpile(text, read="athena", write="duckdb")[0]
    # Athena's UNNEST makes a column of each member; DuckDB's does when it is told to.
    return translated.replace("UNNEST(resources) AS", "(SELECT UNNEST(resources, recursive := true)) AS")
