"""The upload in OpenAPI: one schema for fields and file."""

from flask import Flask
from flask_smorest import Api, Blueprint
from flask_smorest.fields import Upload
from marshmallow import Schema, fields
from openapi_spec_validator import validate

from speakr.web.multipart import multipart_body


class UploadForm(Schema):
    file = Upload(required=True)
    notes = fields.String(metadata={"description": "Free text"})
    min_speakers = fields.Integer()


class Receipt(Schema):
    id = fields.Integer()


def document() -> dict:
    app = Flask(__name__)
    app.config |= {"API_TITLE": "t", "API_VERSION": "1", "OPENAPI_VERSION": "3.0.3"}
    blueprint = Blueprint("recordings", __name__)

    @blueprint.route("/upload", methods=["POST"])
    @blueprint.doc(**multipart_body(UploadForm))
    @blueprint.response(202, Receipt)
    def upload():
        return {"id": 1}

    api = Api(app)
    api.register_blueprint(blueprint)
    assert app.test_client().post("/upload", data={"notes": "x"}).status_code == 202  # nothing is parsed
    return api.spec.to_dict()


def test_fields_and_file_are_one_documented_form() -> None:
    spec = document()
    validate(spec)
    body = spec["paths"]["/upload"]["post"]["requestBody"]
    assert body["required"] is True
    assert body["content"] == {"multipart/form-data": {"schema": {"$ref": "#/components/schemas/UploadForm"}}}
    schema = spec["components"]["schemas"]["UploadForm"]
    assert schema["properties"]["file"] == {"type": "string", "format": "binary"}
    assert set(schema["properties"]) == {"file", "notes", "min_speakers"}
    assert schema["required"] == ["file"]
    assert "Receipt" in spec["components"]["schemas"]
