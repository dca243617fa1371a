"""Pages of slices: what there is, a new one, the editor of one."""

from __future__ import annotations

from django.urls import path

from slices.web import editor, gallery

urlpatterns = [
    path("slices/", gallery.slices, name="slices"),
    path("slices/new/", gallery.new, name="slice-new"),
    path("slices/<int:node_id>/", editor.editor, name="slice"),
]
