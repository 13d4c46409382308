"""How other languages than English say "the answer is", as patterns.

For some thirty languages: the word for "answer" with "is" or a colon behind it, "B is correct", and the
words that deny or suppose such a sentence. Left out: languages whose options are not labelled with Latin
letters or digits, and sentences of other words ("B stimmt").
"""

from __future__ import annotations

import re
import unicodedata


def _compiled(pattern: str) -> re.Pattern[str]:
    """The pattern in the compatibility form that the texts are in: it takes some Thai vowels apart."""
    return re.compile(unicodedata.normalize("NFKC", pattern), re.IGNORECASE)


_NOUNS = (
    r"\b(?:antwort|lösung|loesung|respuesta|solución|réponse|reponse|risposta|resposta|antwoord"
    r"|svar|svaret|odpowiedź|odpowiedz|odpověď|odpoveď|odgovor|răspuns|răspunsul|vastaus|válasz|cevap|yanıt"
    r"|jawaban|jawapan|jawabannya|đáp\s{1,3}án|sagot|jibu|ответ|відповідь|отговор|одговор|απάντηση"
    r"|الجواب|الإجابة|الاجابة|إجابة|תשובה|התשובה|پاسخ|جواب|उत्तर|উত্তর)"
    r"|คำตอบ|정답|답|答案|正解|答え|解答|回答|正确选项|正確選項|答(?=\s{0,3}[:=])"
)
_ADJECTIVES = (
    r"(?:correcta|correcte|corretta|correta|correct|corect|final|finale|definitiva|exacta|juste|esatta|giusta|certa"
    r"|prawidłowa|poprawna|doğru|yang\s{1,3}benar|đúng|الصحيحة|الصحيح|הנכונה|là\s{1,3}đúng|ที่ถูกต้อง|应该|應該|应|應)"
)
_IS = (
    r"(?::|=|[-–—]\s|\b(?:ist|lautet|es|est|è|é|is|är|er|on|jest|to|je|este|e|adalah|ialah|là|ay|ni|это|є|είναι"
    r"|هو|هي|است|היא|הוא|है|हैं)\b|คือ|은|는|は|が|是|为|為|选|選)"
)
_BETWEEN = (
    r"(?:\b(?:la|el|le|il|lo|(?-i:o|a)|die|der|das|den|het|de|option|opción|opcion|opção|opzione|optie|möglichkeit"
    r"|auswahl|buchstabe|lettre|letra|lettera|litera|letter|alternativa?|alternativet?|wariant|opcja|вариант|варіант"
    r"|şık|seçenek|pilihan|opsi|الخيار|विकल्प)\b\s{1,3}|ตัวเลือก|选项|選項|選択肢|보기)"
)
_THUS = (
    r"(?:\b(?:donc|alors|évidemment|clairement|also|somit|daher|folglich|eindeutig|entonces|pues|claramente|por\s{1,3}(?:lo\s{1,3})?tanto|quindi|dunque|chiaramente"
    r"|portanto|logo|então|dus|duidelijk|alltså|altså|derfor|więc|zatem|tedy|tehát|deci|jadi|следовательно|значит)\b,?\s{1,3})"
)
_OPTIONS = (
    r"\b(?:opción|opcion|opção|opcao|opzione|option|optie|alternativa?|alternativet?|möglichkeit|wariant|opcja|možnost"
    r"|вариант|варіант|seçenek|şık|pilihan|lựa\s{1,3}chọn|phương\s{1,3}án)"
)
_RIGHT_BEFORE = r"\b(?:richtige|korrekte|bonne|juiste|correcte|rätta?|riktige|rigtige|korrekta?|poprawna|prawidłowa|správná|doğru|правильный|верный|правильна|helyes)"
_NO_VERB = (
    r"(?:\b(?:cevap|yanıt|seçenek|şık|ответ|вариант|відповідь|варіант|válasz|jawaban(?:nya)?|pilihan|الجواب|الإجابة|الاجابة|תשובה|התשובה)"
    r"(?:\s{1,3}(?:yang\s{1,3}benar|الصحيحة|الصحيح|הנכונה)|\s{1,3}az?)?\s{1,3}|(?:答案|正解|答え|정답)\s?)(?=[(\[\"'“«]?(?-i:[A-J])(?![A-Za-z]))"
)
"""Languages that leave out "is": "Doğru cevap B."."""
ANSWER_IS = _compiled(
    rf"(?:{_OPTIONS}\s{{1,3}}{_ADJECTIVES}|{_RIGHT_BEFORE}\s{{1,3}}{_OPTIONS})\s{{0,3}}{_IS}\s{{0,3}}[:=]?\s{{0,3}}(?:{_BETWEEN}\s{{0,3}}){{0,2}}"
    rf"|{_NO_VERB}"
    rf"|(?:{_NOUNS})\s{{0,3}}(?:{_ADJECTIVES}\s{{0,3}}){{0,2}}{_IS}\s{{0,3}}[:=]?\s{{0,3}}{_THUS}?(?:{_BETWEEN}\s{{0,3}}){{0,2}}"
    r"|(?<!不)(?:正确|正確)的?(?:选项|選項|说法|一项|一項)?是\s{0,3}[:=]?\s{0,3}(?:选项|選項)?\s{0,3}"
    r"|(?:故|应|應|所以|因此|因而|综上|可|只能|最终|最終|正确的?|正確的?|我|[本此该該这這][题題]|(?<![一-鿿]))(?:选择|選擇|选|選)\s{0,3}[:=]?\s{0,3}(?:选项|選項)?\s{0,3}",
)
"""Ends where the letter must stand. The text is in Unicode's compatibility form (NFKC): its colons are
ASCII's."""
DENIED = _compiled(
    r"\b(?:nicht|kein|keine|wenn|falls|ob|angenommen|vielleicht|könnte|ne|pas|peut-être|supposons|quizás|tal\s{1,3}vez"
    r"|supongamos|talvez|não|forse|non|nie|jeśli|niet|indien|misschien|om|hvis|ikke|inte|eğer|değil|jika|bukan|mungkin"
    r"|nếu|không|не|если|ли|возможно|якщо|αν|δεν|إذا|لو|ليس|ليست|אם|לא|यदि|अगर|नहीं)\b"
    r"|\b(?:falsche[nr]?|fausse|mauvaise|sbagliata|foute|onjuiste|felaktiga|feil|gale|forkerte|błędna|niepoprawna|nieprawidłowa|špatná"
    r"|nesprávná|yanlış|hatalı|неправильн\w{1,3}|неверн\w{1,3}|helytelen|rossz)\s*$|(?:不|오|错误的?|錯誤的?|错的|不正确的?|間違った|誤った|틀린|잘못된)\s*$"
    r"|^\s*(?:si|se|no|als)\b|\bno\s{1,3}(?:creo|es|era)\b"
    r"|如果|假如|假设|假設|若|是否|可能|也许|也許|不认为|不認為|不是|不应|不應|并非|以为|以為|误认|誤認|错误地|很多人|许多人|有人|有些人|同学|(?:错误|误区|误解|陷阱)(?:是|在于)|もし|かもしれ|만약|아마|หาก|ถ้า|ไม่",
)
"""In the clause before a statement: it is denied, doubted or supposed there."""
ENDS = (
    r"\s?(?:입니다|이다|예요|이에요|です|だ|である|选项|選項|项|項)(?=\s*(?:$|[.,;!)\n。、]))"
    r"|\s?[。、」』]|\s?(?:因为|因為)|['’](?:[dt][iıuü]r)(?=\s*(?:$|[.,;!\n]))"
)
"""What may stand behind a letter in Chinese, Japanese, Korean and Turkish sentences, besides signs."""
OR = r"oder|und|ou|et|o|u|y|e|i|ja|tai|of|en|eller|och|og|lub|albo|veya|ve|atau|dan|hoặc|или|и|або|ή|και|أو|או|या|或|和|또는|か|と"
""""or" and "and": what follows is a second letter."""
_CORRECT = (
    r"(?:(?:richtig|korrekt|zutreffend)|correct[eo]?|exacte?|juste|correct[oa]|corrett[oa]|giust[oa]|esatt[oa]"
    r"|corret[oa]|cert[oa]|juist|goed|rätt|riktigt?|korrekt|rigtigt?|oikein|poprawn[ay]|prawidłow[ay]|správn[áě]|správná|corect[ăa]?"
    r"|helyes|benar|betul|đúng|верн[оы]й?|правильно|правильна?я?|правильний|σωστ[ήό])"
)
_THE_RIGHT_ONE = (
    r"(?:(?:die|la|le|il|el|a|o|het|de|den|det|to)\s{1,3})?(?:(?:richtige|korrekte|bonne|respuesta|risposta|resposta|réponse|juiste"
    r"|rätta?|riktige|rigtige|poprawna|prawidłowa|správná|jawaban|đáp\s{1,3}án)\s{1,3})"
    rf"(?:antwort|lösung|option|réponse|{_CORRECT}|antwoord|svar(?:et)?|odpowiedź|odpověď|yang\s{{1,3}}benar)"
)
_LABEL = r"(?-i:[(\[]?(?P<label>[A-J])[)\]]?)"
_OPTION = r"(?:\b(?:l[’'])?(?:option|opción|opcion|opção|opzione|optie|antwort|alternativa?|alternativet?|wariant|opcja|вариант|şık|seçenek|pilihan|đáp\s{1,3}án)\s{1,3})"
_SO = r"(?:(?:also|daher|somit|folglich|donc|ainsi|entonces|luego|por\s{1,3}(?:lo\s{1,3})?tanto|quindi|portanto|logo|dus|alltså|derfor|altså|więc|jadi|vậy)[,:]?\s{1,3}|所以|因此|故|따라서\s?|したがって、?|よって、?)"
_IS_A = r"\s{1,3}(?:ist|est|es|è|é|está|is|är|er|on|jest|je|e|este|adalah|là|είναι|–|—)\s{1,3}"
IS_CORRECT = _compiled(
    rf"(?:^|[.!?;:\n。]\s{{0,3}})(?:{_SO})?(?:(?:richtig|korrekt)\s{{1,3}}(?:ist|wäre)\s{{1,3}}(?:(?:die\s{{1,3}})?{_OPTION})?(?-i:[(\[]?(?P<de>[A-J])[)\]]?)(?=\s{{0,3}}(?:$|[.,;!\n]))|ist\s{{1,3}}(?-i:[(\[]?(?P<de2>[A-J])[)\]]?)\s{{1,3}}(?:richtig|korrekt)(?=\s{{0,3}}(?:$|[.,;!\n])))"
    rf"|(?:^|[.!?;:\n。]\s{{0,3}})(?:{_SO})?(?:只有|仅有)?(?:(?:die|la|le|el|a|o|de)\s{{1,3}})?(?:{_OPTION}|选项|選項|選択肢|보기\s?)?{_LABEL}"
    rf"(?:{_IS_A}(?:{_CORRECT}|{_THE_RIGHT_ONE})|\s{{1,3}}(?:doğru(?:dur)?|helyes|benar|betul|đúng|верно|правильно)"
    r"|\s{0,2}(?:选项|選項|项|項)?\s{0,2}(?:是|为|為)?(?:唯一)?(?:正确|正確)(?:的|答案|选项|選項){0,2}|\s{0,2}(?:が|は)\s?(?:正しい|正解|答え)(?:です|だ)?"
    r"|\s{0,2}(?:가|이|은|는)\s?(?:정답|맞)(?:입니다|이다|습니다|다)?)"
    r"(?=\s{0,3}(?:$|[.,;!\n。，]))"
)
""""B is correct" as a sentence of its own; the group ``label`` is the letter."""

_THAT = (
    r"(?P<label>[A-J])[)\]]?(?=\s{0,3}(?:$|[.!;\n。])|\s?(?:选项|選項|项|項)(?=\s{0,3}(?:$|[.,;!\n。]))"
    r"|,?\s(?:weil|da|porque|car|parce|perché|omdat|потому)\b)"
)
_NOT_OPTION = r"\s{1,3}(?:(?:die|la|le|el|a|o|de)\s{1,3})?(?:(?:option|opción|opção|opzione|optie|antwort|вариант)\s{1,3})?(?-i:[(\[]?[A-J][)\]]?),?\s{1,3}"
NOT_THIS_BUT_THAT = _compiled(
    r"(?:(?:^|[.!?;:\n。,]\s{0,3})[一-鿿\s]{0,12}?(?:答案|选项|選項)?\s?(?:应该|應該)?(?:不是|并非|不选|不選|不应选|不應選)\s?(?:选项|選項)?\s?[(\[]?[A-J][)\]]?\s?(?:选项|選項|项|項)?"
    r"\s?[,、;]?\s?(?:而应该是|而應該是|而应是|而是|而应选|而選|而选|应该是|应该选|应是|应选|應選|应为)\s?(?:选项|選項)?"
    rf"|\b(?:nicht|no\s{{1,3}}es|non\s{{1,3}}è|n[’']est\s{{1,3}}pas|não\s{{1,3}}é|niet|не|inte|ikke|nie|není|bukan|nu\s{{1,3}}este)"
    rf"{_NOT_OPTION}(?:sondern|sino|mais|ma|bensì|mas|maar|а|utan|men|lecz|ale|tylko|melainkan|ci)"
    r"\s{1,3}(?:(?:die|la|le|el|a|o|de)\s{1,3})?(?:(?:option|opción|opção|opzione|optie|antwort|вариант)\s{1,3})?)"
    rf"(?-i:[(\[]?{_THAT})"
    r"|(?:正解|答え|解答|答案)(?:は|が)\s?[(\[]?(?-i:[A-J])[)\]]?\s?(?:ではなくて?|じゃなくて?|でなくて?)\s?[、,]?\s?[(\[]?(?-i:(?P<ja>[A-J]))[)\]]?(?=\s?(?:です|だ|である)?\s?(?:$|[。.!\n]))"
    r"|(?:정답|답)[은는이]?\s?[(\[]?(?-i:[A-J])[)\]]?[가이]?\s?아니라\s?[(\[]?(?-i:(?P<ko>[A-J]))[)\]]?(?=\s?(?:입니다|이다|다|예요|이에요)?\s?(?:$|[。.!\n]))"
    r"|\b(?:cevap|yanıt)\s{1,3}[(\[]?(?-i:[A-J])[)\]]?\s{1,3}değil,?\s{1,3}[(\[]?(?-i:(?P<tr>[A-J]))[)\]]?(?=(?:[’'][dt][iıuü]r)?\s?(?:$|[.!\n]))"
)
"""Not A but B, in other languages."""
