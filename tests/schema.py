#!/usr/bin/env python3
"""Holds proto/onnx.proto against the descriptors of the installed onnx package (1.23 or later: IR 14).

Usage: schema.py [PROTOC [ONNX_PROTO]]. PROTOC is protoc or protoc-c (both write descriptor sets). One line for each
message and enum, then "N passed, N failed, N skipped"; the exit code is 1 where something failed.
"""

import os
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

FIELD = descriptor_pb2.FieldDescriptorProto


def compiled(protoc, path):
    """What protoc made of the schema: a FileDescriptorProto."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "set")
        command = [protoc, "--proto_path=" + os.path.dirname(path), "--descriptor_set_out=" + out]
        if os.path.basename(protoc).startswith("protoc-c"):
            command.append("--c_out=" + folder)
        subprocess.run(command + [path], check=True)
        with open(out, "rb") as f:
            files = descriptor_pb2.FileDescriptorSet.FromString(f.read()).file
    assert len(files) == 1
    return files[0]


def standard():
    """The schemas of the onnx package: models, and test data."""
    from onnx import onnx_data_pb2, onnx_ml_pb2

    for module in onnx_ml_pb2, onnx_data_pb2:
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        yield file


def flatten(file):
    """{full name: the facts about a message or an enum}; a fact is a line of text that says where it belongs."""
    found = {}

    def enum(e, scope):
        facts = {f"value {v.name} = {v.number}" for v in e.value}
        facts |= {f"reserved {r.start} to {r.end}" for r in e.reserved_range}
        facts |= {f"reserved {n}" for n in e.reserved_name}
        found["enum " + scope + e.name] = facts

    def message(m, scope):
        name = scope + m.name
        facts = {f"reserved number {n}" for r in m.reserved_range for n in range(r.start, r.end)}
        facts |= {f"reserved name {n}" for n in m.reserved_name}
        facts |= {f"oneof {o.name}" for o in m.oneof_decl}
        facts |= {f"extensions {r.start} to {r.end}" for r in m.extension_range}
        for f in m.field:
            fact = f"{FIELD.Label.Name(f.label)} {FIELD.Type.Name(f.type)} {f.type_name} {f.name} = {f.number}"
            if f.HasField("oneof_index"):
                fact += " in oneof " + m.oneof_decl[f.oneof_index].name
            if f.HasField("default_value"):
                fact += " default " + f.default_value
            facts.add(fact + (" packed" if f.options.packed else ""))
        found["message " + name] = facts
        for e in m.enum_type:
            enum(e, name + ".")
        for n in m.nested_type:
            message(n, name + ".")

    for e in file.enum_type:
        enum(e, file.package + ".")
    for m in file.message_type:
        message(m, file.package + ".")
    # An empty syntax is proto2.
    found["file " + file.package] = {f"syntax {file.syntax or 'proto2'}", f"package {file.package}"}
    return found


def main():
    protoc = sys.argv[1] if len(sys.argv) > 1 else "protoc-c"
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else os.path.join(here, "..", "proto", "onnx.proto")
    ours = flatten(compiled(protoc, os.path.normpath(path)))
    theirs = {}
    for file in standard():
        theirs.update(flatten(file))

    passed = failed = 0
    for name in sorted(ours.keys() | theirs.keys()):
        wrong = []
        if name not in ours:
            wrong = ["not in the schema"]
        elif name not in theirs:
            wrong = ["not in the onnx package"]
        else:
            wrong += ["missing: " + fact for fact in sorted(theirs[name] - ours[name])]
            wrong += ["not the standard's: " + fact for fact in sorted(ours[name] - theirs[name])]
        if wrong:
            failed += 1
            print(f"FAIL schema {name}: " + "; ".join(wrong))
        else:
            passed += 1
            print(f"PASS schema {name} ({len(ours[name])} facts)")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
