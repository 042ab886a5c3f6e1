"""A budget for decoded images: sessions with the same file share one image, and images over the limit are refused."""

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock
from weakref import WeakValueDictionary

from PIL import Image

from se_viz.data.image_files import Intake
from se_viz.data.images import InputImage
from se_viz.ui.server.limits import limits


class KeptImages:
    """The images that sessions hold, by the sha256 of their files; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        # Weak, so that an image is freed with the last session that holds it.
        self._images: WeakValueDictionary[str, Image.Image] = WeakValueDictionary()

    def held(self) -> int:
        """Return the bytes of all images that a session holds."""
        return sum(map(_bytes, list(self._images.values())))

    def keep(self, images: Sequence[InputImage], session: int, process: int) -> tuple[list[InputImage], str | None]:
        """Return the first images that fit, and a sentence about the others.

        Args:
            images: the images of one session.
            session, process: bytes that one session and all sessions together may hold.
        """
        kept: list[InputImage] = []
        own = 0
        with self._lock:
            total = self.held()
            for image in images:
                shared = self._images.get(image.sha256)
                size = _bytes(image.rgb)
                own += size
                total += 0 if shared is not None else size
                if own > session or total > process:
                    left = len(images) - len(kept)
                    whose = "each visitor" if own > session else "all its visitors"
                    limit = session if own > session else process
                    files = "1 image was" if left == 1 else f"{left:,} images were"
                    then = "choose fewer or smaller ones" if own > session else "choose fewer, or try again later"
                    return kept, (
                        f"{files} left out: this server keeps at most {limit / 1e6:,.0f} MB of decoded images for "
                        f"{whose}; {then}."
                    )
                if shared is None:
                    shared = self._images[image.sha256] = image.rgb
                kept.append(replace(image, rgb=shared))
        return kept, None


_KEPT = KeptImages()


def within_budget(intake: Intake) -> Intake:
    """Return the images of a session's uploads that fit, with a sentence about those that are left out."""
    most = limits()
    kept, left_out = _KEPT.keep(intake.images, most.session_images, most.images)
    refusals = (*intake.refusals, *([left_out] if left_out else ()))
    return replace(intake, images=tuple(kept), refusals=refusals)


def _bytes(image: Image.Image) -> int:
    return image.width * image.height * len(image.getbands())
