"""Serve Comprehend's wire protocol for custom classification; moto serves everything else."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from moto.comprehend.responses import ComprehendResponse
from moto.core.responses import ActionResult

from local.aws.comprehend.service import Comprehend


class LiveComprehend(ComprehendResponse):  # type: ignore[misc]
    """Requests to `service` and its answers back; replaces the methods of moto that only pretend."""

    service: ClassVar[Comprehend]

    @property
    def _request(self) -> dict[str, Any]:
        request: dict[str, Any] = json.loads(self.body)
        return request

    @property
    def _owner(self) -> str:
        return f"arn:aws:comprehend:{self.region}:{self.current_account}:"

    def _page(self, key: str, found: list[dict[str, Any]]) -> ActionResult:
        """Return MaxResults items from NextToken on, which is where the last page ended."""
        start, most = int(self._request.get("NextToken") or 0), int(self._request.get("MaxResults") or 100)
        more = {"NextToken": str(start + most)} if start + most < len(found) else {}
        return ActionResult({key: found[start : start + most]} | more)

    def _tag(self, arn: str) -> None:
        if tags := self._request.get("Tags"):
            self.comprehend_backend.tagger.tag_resource(arn, tags)

    def create_document_classifier(self) -> ActionResult:
        arn = self.service.create_classifier(self._request, self.region, self.current_account)
        self._tag(arn)
        return ActionResult({"DocumentClassifierArn": arn})

    def describe_document_classifier(self) -> ActionResult:
        properties = self.service.classifier(self._request["DocumentClassifierArn"])
        return ActionResult({"DocumentClassifierProperties": properties})

    def list_document_classifiers(self) -> ActionResult:
        found = self.service.classifiers(self._request.get("Filter") or {}, self._owner)
        return self._page("DocumentClassifierPropertiesList", found)

    def delete_document_classifier(self) -> ActionResult:
        self.service.delete_classifier(self._request["DocumentClassifierArn"])
        return ActionResult({})

    def stop_training_document_classifier(self) -> ActionResult:
        self.service.stop_training(self._request["DocumentClassifierArn"])
        return ActionResult({})

    def create_endpoint(self) -> ActionResult:
        created = self.service.create_endpoint(self._request, self.region, self.current_account)
        self._tag(created["EndpointArn"])
        return ActionResult(created)

    def describe_endpoint(self) -> ActionResult:
        return ActionResult({"EndpointProperties": self.service.endpoint(self._request["EndpointArn"])})

    def list_endpoints(self) -> ActionResult:
        found = self.service.endpoints(self._request.get("Filter") or {}, self._owner)
        return self._page("EndpointPropertiesList", found)

    def update_endpoint(self) -> ActionResult:
        return ActionResult(self.service.update_endpoint(self._request))

    def delete_endpoint(self) -> ActionResult:
        self.service.delete_endpoint(self._request["EndpointArn"])
        return ActionResult({})

    def classify_document(self) -> ActionResult:
        request = self._request
        return ActionResult({"Classes": self.service.classify(request.get("Text", ""), request["EndpointArn"])})
