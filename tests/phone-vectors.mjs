// Asks Google's own library for the answers in fixtures/vectors/phones.tsv:
//
//     npm install --no-save google-libphonenumber@3.2.47
//     node tests/phone-vectors.mjs > fixtures/vectors/phones.tsv
//
// One line a number: region, text, and the number in E.164, or "-" where it is none. The texts are
// the example numbers of every region and type, as people there write them, and the same with one
// digit too few, one too many, and another digit within.
import google from "google-libphonenumber";

const { PhoneNumberUtil, PhoneNumberFormat, PhoneNumberType } = google;
const library = PhoneNumberUtil.getInstance();

/** The number in E.164, or "-". */
function answer(text, region) {
  try {
    const number = library.parse(text, region);
    return library.isValidNumber(number) ? library.format(number, PhoneNumberFormat.E164) : "-";
  } catch {
    return "-";
  }
}

let seed = 20261123;
/** A whole number below `bound`: the same in every run. */
function below(bound) {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
  return (seed >>> 8) % bound;
}

/** The text, and three that a slip of the finger makes of it. */
function slips(text) {
  const digits = [...text.matchAll(/\d/g)].map((match) => match.index);
  const at = () => digits[1 + below(digits.length - 1)];
  const put = (place, cut, digit) => text.slice(0, place) + digit + text.slice(place + cut);
  return [text, put(at(), 1, ""), put(at(), 0, below(10)), put(at(), 1, below(10))];
}

const lines = new Set();
for (const region of library.getSupportedRegions().sort()) {
  for (const type of Object.values(PhoneNumberType)) {
    const number = library.getExampleNumberForType(region, type);
    if (!number) continue;
    for (const format of [PhoneNumberFormat.NATIONAL, PhoneNumberFormat.E164]) {
      for (const text of slips(library.format(number, format))) {
        lines.add([region, text, answer(text, region)].join("\t"));
      }
    }
  }
}
console.log([...lines].join("\n"));
