"""The answers to the pack in plain Python over the source JSON: nothing of the program, and no engine."""

import glob
import gzip
import json
import os
import re
from collections import Counter, defaultdict

PLACE = re.compile(r"AWSLogs/(?:o-[a-z0-9]+/)?(\d{12})/CloudTrail/([a-z0-9-]+)/")


def records_of(bucket):
    """Every record of the logs below a bucket, with where it came from under names that CloudTrail does not use."""
    records = []
    for path in sorted(glob.glob(bucket + "/**/*.json.gz", recursive=True)):
        key = os.path.relpath(path, bucket)
        if place := PLACE.search(key):
            for index, record in enumerate(json.loads(gzip.open(path).read())["Records"]):
                record["_key"], record["_index"] = key, index
                record["_account"], record["_region"] = place.groups()
                records.append(record)
    return records


def at(record, path):
    """A member by its path; None where there is none."""
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def user(record, path):
    return at(record, "userIdentity." + path)


def day(record):
    return record["eventTime"][:10]


def busiest(values):
    counts = Counter(value for value in values if value)
    return min(counts, key=lambda value: (-counts[value], value)) if counts else None


def values_of(records):
    """For each value that a responder puts into the pack, one that the archive has."""
    session = busiest(user(r, "arn") for r in records if user(r, "sessionContext.sessionIssuer.arn"))
    found = {
        "first day": min(map(day, records)),
        "last day": max(map(day, records)),
        "access key": busiest(user(r, "accessKeyId") for r in records),
        "principal": busiest(user(r, "sessionContext.sessionIssuer.arn") for r in records),
        "address": busiest(r["sourceIPAddress"] for r in records if user(r, "type") == "IAMUser"),
        "event": min(r["eventID"] for r in records),
        "session": session,
        "session start": busiest(
            user(r, "sessionContext.attributes.creationDate") for r in records if user(r, "arn") == session
        ),
        "log": busiest(r["_key"] for r in records),
    }
    return {what: value for what, value in found.items() if value}


def names_in(text, column):
    """The names that a query lists for a column."""
    listed = re.search(rf"{column} in \(([^)]*)\)", text)
    return set(re.findall(r"'([^']+)'", listed[1]))


def called(text):
    """Whether a record is of the sources and names that a query lists."""
    source = re.search(r"event_source = '([^']+)'", text)
    sources = {source[1]} if source else names_in(text, "event_source")
    names = names_in(text, "event_name")
    return lambda r: r["eventSource"] in sources and r["eventName"] in names


def filters(queries, v):
    """For each query that lists events, which records it lists."""
    console = lambda r: (r["eventSource"], r["eventName"]) == ("signin.amazonaws.com", "ConsoleLogin")
    issuer = "sessionContext.sessionIssuer.arn"
    return {
        "by-access-key": lambda r: user(r, "accessKeyId") == v["access key"],
        "by-principal": lambda r: v["principal"] in (user(r, "arn"), user(r, issuer)),
        "by-ip": lambda r: r["sourceIPAddress"] == v["address"],
        "by-event-id": lambda r: r["eventID"] == v["event"],
        "console-logins-without-mfa": lambda r: console(r)
        and at(r, "additionalEventData.MFAUsed") == "No"
        and at(r, "responseElements.ConsoleLogin") == "Success",
        "root-use": lambda r: user(r, "type") == "Root"
        and user(r, "invokedBy") is None
        and r["eventType"] != "AwsServiceEvent",
        "trail-tampering": called(queries["trail-tampering"]),
        "detector-tampering": called(queries["detector-tampering"]),
        "key-creation": called(queries["key-creation"]),
        "policy-changes": called(queries["policy-changes"]),
        "one-session": lambda r: user(r, "arn") == v["session"]
        and user(r, "sessionContext.attributes.creationDate") == v["session start"],
        "one-log": lambda r: r["_key"] == v["log"],
    }


def denied_calls(records, text):
    codes = names_in(text, "error_code")
    groups = defaultdict(list)
    for r in records:
        if r.get("errorCode") in codes:
            group = r.get("recipientAccountId"), user(r, "arn"), r["eventSource"], r["eventName"], r["errorCode"]
            groups[group].append(r["eventTime"])
    return [(*group, len(times), min(times), max(times)) for group, times in groups.items()]


def keys_first_and_last_seen(records):
    keys = defaultdict(list)
    for r in records:
        if user(r, "accessKeyId"):
            keys[user(r, "accessKeyId")].append(r)
    return [
        (
            key,
            max((user(r, "arn") for r in used if user(r, "arn")), default=None),
            min(r["eventTime"] for r in used),
            max(r["eventTime"] for r in used),
            len(used),
            len({r["sourceIPAddress"] for r in used}),
        )
        for key, used in keys.items()
    ]


def unproven_rows(records):
    """In an archive without digests, which is where it is asked: every record is uncovered."""
    places = defaultdict(list)
    for r in records:
        places["uncovered", day(r), r["_account"], r["_region"]].append(r["_key"])
    return [(*place, len(keys), len(set(keys)), min(keys)) for place, keys in places.items()]


def assume_role_chains(records, text):
    gave = lambda r: at(r, "responseElements.credentials.accessKeyId")
    assumed = [r for r in records if r["eventSource"] == "sts.amazonaws.com" and "errorCode" not in r]
    names = names_in(text, "event_name")
    givers = defaultdict(list)
    for r in assumed:
        if r["eventName"] in names and gave(r):
            givers[gave(r)].append((r["_key"], r["_index"]))
    chains = []
    for r in assumed:
        if r["eventName"] == "AssumeRole" and user(r, "type") == "AssumedRole":
            session = at(r, "responseElements.assumedRoleUser.arn")
            for earlier in givers.get(user(r, "accessKeyId"), [(None, None)]):
                chains.append((r["_key"], r["_index"], user(r, "arn"), session, gave(r), *earlier))
    return chains


def view_row(r):
    """A record as AWS's own table shows it."""
    text = lambda value: None if value is None else str(value).lower() if isinstance(value, bool) else value
    names = lambda path, *members: {name.lower(): text(at(r, f"{path}.{name}")) for name in members}
    context = "userIdentity.sessionContext"
    identity = names("userIdentity", "type", "principalId", "arn", "accountId", "invokedBy", "accessKeyId", "userName")
    identity["onbehalfof"] = names("userIdentity.onBehalfOf", "userId", "identityStoreArn")
    identity["sessioncontext"] = {
        "attributes": names(f"{context}.attributes", "mfaAuthenticated", "creationDate"),
        "sessionissuer": names(f"{context}.sessionIssuer", "type", "principalId", "arn", "accountId", "userName"),
        "ec2roledelivery": at(r, f"{context}.ec2RoleDelivery"),
        "webidfederationdata": {
            "federatedprovider": at(r, f"{context}.webIdFederationData.federatedProvider"),
            "attributes": at(r, f"{context}.webIdFederationData.attributes"),
        },
    }
    row = {"useridentity": identity}
    for name in (
        "eventVersion eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode errorMessage requestID"
        " eventID eventType apiVersion readOnly recipientAccountId sharedEventID vpcEndpointId vpcEndpointAccountId"
        " eventCategory sessionCredentialFromConsole"
    ).split():
        row[name.lower()] = text(r.get(name))
    for name in "requestParameters responseElements additionalEventData serviceEventDetails edgeDeviceDetails".split():
        row[name.lower()] = r.get(name)
    resources = r.get("resources")
    row["resources"] = resources and [
        {"arn": one.get("ARN"), "accountid": one.get("accountId"), "type": one.get("type")} for one in resources
    ]
    row["addendum"] = names("addendum", "reason", "updatedFields", "originalRequestID", "originalEventID")
    row["tlsdetails"] = names("tlsDetails", "tlsVersion", "cipherSuite", "clientProvidedHostHeader")
    year, month, date = day(r).split("-")
    row |= {"account": r["_account"], "region": r["_region"], "year": year, "month": month, "day": date}
    return row | {"timestamp": f"{year}/{month}/{date}", "event_date": day(r)}
