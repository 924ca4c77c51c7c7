import pytest
from tests.conformance.moonlight.describe import Capabilities, OpusLayout, agree, announce_body, opus_layout
from tests.conformance.moonlight.errors import RtspFailed, StreamFailed
from tests.conformance.moonlight.handshake import SessionUrl
from tests.conformance.moonlight.options import Codec, CodecSupport, Encryption, StreamOptions
from tests.conformance.moonlight.rtsp import Sealer, build_request, parse_reply

OFFER = "a=x-ss-general.encryptionSupported:7\na=x-ss-general.encryptionRequested:1\n"
STEREO = OpusLayout(2, 1, 1, (0, 1))


def test_sealed_client_message(vectors):
    case = next(case for case in vectors["rtsp_encrypted"] if case["direction"] == "client_to_host")
    sealer = Sealer(bytes.fromhex(case["key"]))
    assert sealer.seal(case["plaintext_text"].encode()).hex() == case["frame"]


def test_sealed_host_messages(vectors, violations):
    cases = [case for case in vectors["rtsp_encrypted"] if case["direction"] == "host_to_client"]
    sealer = Sealer(bytes.fromhex(cases[0]["key"]))
    for case in cases:
        assert sealer.open(bytes.fromhex(case["frame"]), "test", violations).decode() == case["plaintext_text"]
    # The second captured message is number 4 of its handshake.
    assert set(violations.counts) == {"rtsp.sequence"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda frame: frame + b"\0", "rtsp.sealed-length"),
        (lambda frame: bytes([frame[0] & 0x7F]) + frame[1:], "rtsp.plaintext"),
        (lambda frame: frame[:-1] + bytes([frame[-1] ^ 1]), "rtsp.tag"),
    ],
)
def test_spoilt_sealed_message(vectors, violations, change, rule):
    case = next(case for case in vectors["rtsp_encrypted"] if case["direction"] == "host_to_client")
    with pytest.raises(RtspFailed):
        Sealer(bytes.fromhex(case["key"])).open(change(bytes.fromhex(case["frame"])), "test", violations)
    assert set(violations.counts) == {rule}


def test_reply(violations):
    raw = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nSession: DEADBEEFCAFE;timeout = 90\r\n\r\nbody\n"
    reply = parse_reply(raw, "SETUP", violations)
    assert (reply.status, reply.headers["Session"], reply.body) == (200, "DEADBEEFCAFE;timeout = 90", "body\n")
    assert not violations


@pytest.mark.parametrize(
    "raw",
    [
        b"RTSP/1.0 200 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\nCSeq: 1\n\n",
        b"RTSP/1.0 200 OK\r\nCSeq:1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq:  1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\ncseq: 1\r\n\r\n",
        b"RTSP/1.0 200\r\nCSeq: 1\r\n\r\n",
        b"RTSP/2.0 200 OK\r\nCSeq: 1\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\na\0b",
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nSession: \r\n\r\n",
    ],
)
def test_replies_that_break_the_client_library(raw, violations):
    with pytest.raises(RtspFailed):
        parse_reply(raw, "OPTIONS", violations)
    assert violations.counts["rtsp.syntax"] == 1


def test_announce_equals_the_captured_one(vectors):
    options = StreamOptions(colour_space=0, packet_size=1392)
    agreement = agree(Capabilities.parse(OFFER), CodecSupport.H264, options, STEREO)
    body = announce_body(agreement, options, "127.0.0.1")
    headers = {
        "CSeq": "6",
        "X-GS-ClientVersion": "14",
        "Host": "0.0.0.0",
        "Session": "DEADBEEFCAFE",
        "Content-type": "application/sdp",
        "Content-length": str(len(body)),
    }
    request = build_request("ANNOUNCE", "streamid=control/13/0", headers, body).decode()
    captured = vectors["announce_captured"]["text"]
    assert request.replace("\r\n", "\n") == captured.replace("\r\n", "\n")


def test_surround_layouts(vectors):
    cases = vectors["surround_params"]
    offer = Capabilities.parse("\n".join(f"a=fmtp:97 surround-params={case['line_value']}" for case in cases))
    for case in cases:
        expected = case["client_decodes_with"]
        layout = opus_layout(offer, expected["channels"], case["quality"] == "high")
        assert layout == OpusLayout(
            expected["channels"], expected["streams"], expected["coupled"], tuple(expected["mapping"])
        )


def test_codec_choice():
    offer = Capabilities.parse("sprop-parameter-sets=AAAAAU\na=rtpmap:98 AV1/90000\n")
    support = CodecSupport.H264 | CodecSupport.HEVC_MAIN | CodecSupport.AV1_MAIN8 | CodecSupport.AV1_MAIN10
    for codecs, bits, expected in [
        ((Codec.H264,), 8, (Codec.H264, 8)),
        ((Codec.HEVC, Codec.H264), 10, (Codec.HEVC, 8)),
        ((Codec.AV1, Codec.HEVC), 10, (Codec.AV1, 10)),
    ]:
        agreement = agree(offer, support, StreamOptions(codecs=codecs, ten_bit=bits == 10), STEREO)
        assert (agreement.codec, agreement.bits_per_sample) == expected


def test_encryption_choice():
    offer = Capabilities.parse(
        "a=x-ss-general.encryptionSupported:7\na=x-ss-general.encryptionRequested:2\n"
        "a=x-nv-video[0].refPicInvalidation:1\n"
    )
    agreement = agree(offer, CodecSupport.H264, StreamOptions(encryption=Encryption.CONTROL, rfi=True), STEREO)
    assert agreement.encryption == Encryption.CONTROL | Encryption.VIDEO
    assert agreement.packet_size == 1392 - 32
    assert agreement.rfi


@pytest.mark.parametrize("url", ["rtsp://host", "http://host:1", "rtspenc://host:99999", "rtspenc://::1:48010"])
def test_bad_session_url(url):
    with pytest.raises(StreamFailed):
        SessionUrl.parse(url)


def test_ipv6_session_url():
    assert SessionUrl.parse("rtspenc://[::1]:48010") == SessionUrl("rtspenc", "::1", 48010)
