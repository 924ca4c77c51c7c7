import av
import numpy as np
import pytest
from tests.conformance.moonlight.audio import AudioPacket
from tests.conformance.moonlight.decode import OpusDecoder, VideoDecoder, dominant_tone, opus_head, write_png
from tests.conformance.moonlight.depacketiser import Frame
from tests.conformance.moonlight.describe import OpusLayout
from tests.conformance.moonlight.options import Codec
from tests.unit.conformance.encoding import LEFT, access_units, opus_tone


@pytest.mark.parametrize("codec", Codec)
def test_pictures(codec, tmp_path):
    decoder = VideoDecoder(codec)
    for index, unit in enumerate(access_units(codec)):
        (picture,) = decoder.decode(Frame(index + 1, 1, 0, unit, False, index == 0, 0, 0, 0))
        assert picture.shape == (180, 320, 3)
        assert np.abs(picture[90, 40].astype(int) - LEFT).max() < 12
    write_png(tmp_path / "last.png", picture)
    with av.open(tmp_path / "last.png") as container:
        (again,) = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert (again == picture).all()


def test_tone():
    decoder = OpusDecoder(OpusLayout(2, 1, 1, (0, 1)), 5)
    packets = [AudioPacket(n, n * 5, opus, False, 0) for n, opus in enumerate(opus_tone(1000))]
    samples = decoder.decode_all([*packets, AudioPacket(200, 1000, None, False, 0)])
    assert samples.shape == (2, 201 * 240)
    tone = dominant_tone(samples[0, 4800:43200])
    assert tone.frequency_hz == pytest.approx(1000, abs=5)
    assert tone.level_db == pytest.approx(-6, abs=1)


def test_multistream_header():
    layout = OpusLayout(6, 4, 2, (0, 1, 2, 3, 4, 5))
    assert opus_head(layout)[18:] == bytes([255, 4, 2, 0, 1, 2, 3, 4, 5])


def test_silence_has_no_level():
    assert dominant_tone(np.zeros(960, np.float32)).level_db < -100
