"""A client without generated code: it learns the contract from the server's reflection service.

Usage: client.py HOST:PORT CLASS ITEM
Prints one JSON object: the services, the names of the items of CLASS, and the impact of ITEM.
"""

import json
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

TIMEOUT_S = 30


class Contract:
    """Calls methods by name; requests and answers are built from the described types."""

    def __init__(self, channel):
        self.channel = channel
        self.database = ProtoReflectionDescriptorDatabase(channel)
        self.pool = DescriptorPool(self.database)

    def services(self):
        return sorted(self.database.get_services())

    def call(self, service, method, **fields):
        described = self.pool.FindServiceByName(service).FindMethodByName(method)
        request = GetMessageClass(described.input_type)(**fields)
        answer = GetMessageClass(described.output_type)
        call = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return call(request, timeout=TIMEOUT_S)

    def reason_of(self, error):
        """The reason code of the google.rpc.ErrorInfo that the server sends along."""
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                return reason_in(value)
        return None


def reason_in(status_details):
    """Reads google.rpc.Status { details: [Any { value: ErrorInfo { reason = 1 } }] } field by field."""
    for number, value in fields(status_details):
        if number != 3:
            continue
        parts = dict(fields(value))
        if parts[1].endswith(b"/google.rpc.ErrorInfo"):
            return dict(fields(parts[2]))[1].decode()
    return None


def fields(data):
    """The (number, value) pairs of an encoded message; here all are varints or length-delimited."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        yield tag >> 3, value


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def main(address, item_class, item):
    with grpc.insecure_channel(address) as channel:
        contract = Contract(channel)
        # `class` is a word of Python, so the field is set by name.
        listed = contract.call("cmdb.v1.ItemService", "List", **{"class": item_class, "sort": "name"})
        impact = contract.call("cmdb.v1.GraphService", "Impact", items=[item])
        try:
            contract.call("cmdb.v1.ItemService", "Get", item="no such item")
            reason = None
        except grpc.RpcError as error:
            reason = contract.reason_of(error)
        answer = {
            "services": contract.services(),
            "items": [found.name for found in listed.items],
            "failed": impact.counts.failed,
            "degraded": impact.counts.degraded,
            "error_reason": reason,
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
