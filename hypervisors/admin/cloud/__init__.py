"""The console's pages of a cloud: how much room it has, its images, flavors and networks. Superusers only.

A page shows at once what was last heard, with its age; its parts then ask the cloud by themselves (`parts`). Every change
goes through `hypervisors.clouds`, as those of the API do.
"""

from __future__ import annotations

from django.urls import URLPattern, path

from hypervisors.admin.cloud import flavors, images, networks, overview, parts, removing
from hypervisors.admin.cloud.base import guarded, of_cloud

#: Below the list of hypervisors; the last word is the name of the address.
NAME = "hypervisors_hypervisor_cloud"


def addresses() -> list[URLPattern]:
    """Below the list of hypervisors."""

    def page(address: str, view: object, name: str) -> URLPattern:
        tab = address.partition("/")[0]
        return path(f"clouds/<int:pk>/{address}", of_cloud(view, tab), name=f"{NAME}{name}")  # type: ignore[arg-type]

    return [
        path("clouds/", guarded(overview.clouds_page), name=f"{NAME}s"),
        page("", overview.page, ""),
        page("images/", images.page, "_images"),
        page("images/tidy/", images.tidy, "_images_tidy"),
        page("flavors/", flavors.page, "_flavors"),
        page("networks/", networks.page, "_networks"),
        page("remove/<str:kind>/", removing.page, "_remove"),
        page("part/<str:kind>/", parts.part, "_part"),
    ]
