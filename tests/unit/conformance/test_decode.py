import av
import numpy as np
import pytest
from tests.conformance.moonlight.audio import AudioPacket
from tests.conformance.moonlight.decode import OpusDecoder, VideoDecoder, dominant_tone, write_png
from tests.conformance.moonlight.depacketiser import Frame
from tests.conformance.moonlight.describe import OpusLayout
from tests.conformance.moonlight.options import Codec
from tests.unit.conformance.encoding import LEFT, access_units, opus_tone, surround_tones


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


@pytest.mark.parametrize("channels", [6, 8])
def test_surround_channels_keep_their_places(channels):
    mapping = tuple(reversed(range(channels)))
    decoder = OpusDecoder(OpusLayout(channels, channels, 0, mapping), 5)
    samples = decoder.decode_all(
        AudioPacket(n, n * 5, opus, False, 0) for n, opus in enumerate(surround_tones(channels))
    )
    heard = [dominant_tone(samples[channel, 2400:12000]).frequency_hz for channel in range(channels)]
    assert heard == pytest.approx([400 * (source + 1) for source in mapping], abs=6)


def test_silence_has_no_level():
    assert dominant_tone(np.zeros(960, np.float32)).level_db < -100
