"""Transforms template.yaml as CloudFormation's serverless transform does, and prints what came of it.

As `sam validate` does, it puts a bucket where the template names files, because the transform knows only
what was uploaded."""

import sys

from samtranslator import __version__
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The template names no managed policy."""

    def load(self):
        return {}


def uploaded(template):
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for key in ("CodeUri", "ContentUri", "DefinitionUri"):
            if isinstance(properties.get(key), str):
                properties[key] = "s3://bucket/" + key
    return template


def main():
    with open("template.yaml", encoding="utf-8") as file:
        template = uploaded(yaml_parse(file.read()))
    # The transform asks for the region to name the partition, and reaches nobody.
    try:
        made = transform(template, {"AWS::Region": "us-east-1"}, NoManagedPolicies())
    except InvalidDocumentException as error:
        for cause in error.causes:
            print(cause.message, file=sys.stderr)
        return 1
    print(f"aws-sam-translator {__version__}: template.yaml becomes {len(made['Resources'])} resources")
    return 0


if __name__ == "__main__":
    sys.exit(main())
