"""Where a run's masklets go: a new label group, one to go on with, or one to add to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_sam2.errors import InputError, OutputError
from napari_sam2.io.label_store.store import OmeZarrLabelStore
from napari_sam2.io.movies.frame_sources import StackFrames
from napari_sam2.io.ome_zarr.embedded_image import embed_image, holds_image
from napari_sam2.io.sessions.provenance import Provenance
from napari_sam2.paths import remote_url
from napari_sam2.prompts import PromptedObject
from napari_sam2.tiles import TileLayout


def refuse_remote(path: Path) -> None:
    """Refuse to write masklets to a server.

    Raises
    ------
    InputError
        With what to do instead.
    """
    if (url := remote_url(path)) is not None:
        raise InputError(
            f"{url}: masklets are written where files can be locked and renamed, which "
            "servers cannot do: choose a folder with --out, and copy the result there"
        )


@dataclass(frozen=True, slots=True)
class Output:
    """A label group that a run asks for.

    Attributes
    ----------
    path, name
        OME-Zarr and label group.
    merge
        Add objects to a finished group, whose labels become foreign ones.
    accept_movie
        Go on, or add, though the movie has other pixels than it had.
    """

    path: Path
    name: str
    resume: bool = False
    overwrite: bool = False
    merge: bool = False
    embed_image: bool = False
    accept_movie: bool = False

    @property
    def exists(self) -> bool:
        """Whether the label group is there."""
        return OmeZarrLabelStore.exists(self.path, self.name)

    def check(self) -> None:
        """Refuse a request that cannot be met, before any work is done.

        Raises
        ------
        InputError
            If the request contradicts itself, or names a server.
        OutputError
            If the group exists and the request does not say what to do about it.
        """
        refuse_remote(self.path)
        if self.overwrite and (self.resume or self.merge):
            raise InputError(
                "--overwrite replaces the label group, but --resume and --merge keep "
                "it: give one or the other"
            )
        if self.exists and not (self.resume or self.overwrite or self.merge):
            raise OutputError(
                f"{self.path}/labels/{self.name} exists: go on with --resume, replace "
                "it with --overwrite, add to it with --merge, or choose another --name"
            )

    def open(
        self,
        source: StackFrames,
        objects: list[PromptedObject],
        provenance: Provenance,
        logits_shape: tuple[int, int],
        tiles: TileLayout | None = None,
    ) -> tuple[OmeZarrLabelStore, str | None]:
        """Create or open the label group.

        Returns
        -------
        tuple
            The store, and what people should be told of its movie.

        Raises
        ------
        OutputError
            If it cannot be written, or was made by another plan or another model, or
            of another movie.
        """
        if self.exists and self.merge:
            return self._add_to(source, objects, provenance, logits_shape, tiles)
        if self.exists and self.resume:
            return self.open_known(provenance)
        # A run that was killed may have got as far as its movie.
        if self.embed_image and not (self.resume and holds_image(self.path)):
            self._embed(source)
        created = OmeZarrLabelStore.create(
            self.path,
            frame_count=source.frame_count,
            frame_shape=source.frame_shape,
            logits_shape=logits_shape,
            objects=objects,
            provenance=provenance,
            calibration=source.calibration,
            name=self.name,
            overwrite=self.overwrite,
            tiles=tiles,
        )
        return created, created.remark

    def open_known(
        self, provenance: Provenance
    ) -> tuple[OmeZarrLabelStore, str | None]:
        """Open the label group of a run of this provenance, see `open`."""
        store = OmeZarrLabelStore.open_for_resume(self.path, provenance, self.name)
        told = self._check_movie(store, provenance)
        known = store.provenance
        if known.fingerprint != provenance.fingerprint:
            store.renew_provenance(known.with_movie(provenance.fingerprint))
        return store, "; ".join(filter(None, (told, store.remark))) or None

    def _check_movie(
        self, store: OmeZarrLabelStore, provenance: Provenance
    ) -> str | None:
        """Refuse another movie; return what people should be told of it."""
        if self.accept_movie or provenance.fingerprint is None:
            return None
        where = f"{self.path}/labels/{self.name}"
        try:
            return store.provenance.check_movie(provenance.fingerprint, where)
        except OutputError:
            store.close()
            raise

    def _add_to(
        self,
        source: StackFrames,
        objects: list[PromptedObject],
        provenance: Provenance,
        logits_shape: tuple[int, int],
        tiles: TileLayout | None,
    ) -> tuple[OmeZarrLabelStore, str | None]:
        store = OmeZarrLabelStore.open(self.path, self.name)
        if self._is_this_run(store, provenance):
            store.close()
            return self.open_known(provenance)
        try:
            seen_as = logits_shape, tiles or TileLayout.whole(source.frame_shape)
            told = self._check_addition(store, source, provenance, seen_as)
            store.begin_merge(objects, provenance)
            told = "; ".join(filter(None, (told, store.remark))) or None
        except OutputError:
            store.close()
            raise
        return store, told

    def _is_this_run(self, store: OmeZarrLabelStore, provenance: Provenance) -> bool:
        """Whether these objects are being added already, or were."""
        if store.is_merging or store.provenance.differences(provenance):
            return False
        return self.resume or not store.is_complete

    def _check_addition(
        self,
        store: OmeZarrLabelStore,
        source: StackFrames,
        provenance: Provenance,
        seen_as: tuple[tuple[int, int], TileLayout],
    ) -> str | None:
        """Refuse what cannot be added to; return what people should be told."""
        where = f"{self.path}/labels/{self.name}"
        if store.array.shape != (source.frame_count, *source.frame_shape):
            raise OutputError(
                f"{where}: holds labels of shape {store.array.shape}, the movie has "
                f"{(source.frame_count, *source.frame_shape)}; choose another --name"
            )
        if (store.logits_shape, store.layout) != seen_as:
            raise OutputError(
                f"{where}: was tracked with another input size or other tiles; use the "
                "same model, --image-size and --tiles, or choose another --name"
            )
        return self._check_movie(store, provenance)

    def _embed(self, source: StackFrames) -> None:
        """Copy the movie: one channel as it is stored, several as the RGB shown."""
        is_grey = len(source.layout.channels) == 1
        embed_image(
            self.path,
            (
                source.read_raw(index)[0] if is_grey else source.read(index)
                for index in range(source.frame_count)
            ),
            frame_count=source.frame_count,
            calibration=source.calibration,
            name=Path(str(source.provenance["source"])).stem,
        )
