// The passwords of eight characters and more that are tried first everywhere; digits and signs that are hung on do not help.
const words =
  'password passwort password1 passw0rd p@ssw0rd p@ssword pa55word pa$$word password! password12 password123 password1234 passwort1 mypassword newpassword ' +
  'changeme changeit changethis letmein1 letmein! letmeinnow welcome1 welcome! welcome123 welcome2 administrator administrator1 admin123 admin1234 admin12345 ' +
  'adminadmin administrador superuser superadmin rootroot root1234 rootpassword toor1234 testtest test1234 test12345 tester123 testing1 testing123 guestguest ' +
  'guest1234 useruser user1234 username username1 default1 defaultpassword temporary temp1234 temppass secret123 secret1234 topsecret mysecret secretpassword ' +
  '12345678 123456789 1234567890 12345678910 123456789a 1234567891 0123456789 01234567 87654321 987654321 9876543210 0987654321 11111111 111111111 1111111111 ' +
  '00000000 000000000 0000000000 22222222 33333333 44444444 55555555 66666666 77777777 88888888 888888888 99999999 999999999 12121212 123123123 12341234 ' +
  '123412345 12344321 123321123 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwerty12345 qwerty123456 ' +
  'qwertz123 qwertzui qwertzuiop azertyuiop azerty123 asdfghjk asdfghjkl asdfasdf asdf1234 asdfjkl1 zxcvbnm1 zxcvbnm123 qazwsxedc qazwsx123 qweasdzxc qweqweqwe ' +
  'qwe123qwe q1w2e3r4 q1w2e3r4t5 zaq12wsx zaq1zaq1 abcdefgh abcdefghi abcd1234 abcde12345 abc12345 abc123456 abc123abc aaaaaaaa aaaaaaaaa a1b2c3d4 a1234567 ' +
  'a12345678 a123456789 aa123456 aa12345678 iloveyou iloveyou1 iloveyou2 iloveu123 ilovegod loveyou1 lovelove loveme123 princess princess1 sunshine sunshine1 ' +
  'football football1 baseball baseball1 basketball basketball1 softball volleyball superman superman1 spiderman batman123 starwars starwars1 pokemon1 pokemon123 ' +
  'dragon123 monkey123 monkey12 shadow123 shadow12 master123 michael1 michelle michelle1 jennifer jennifer1 jessica1 jordan23 jordan123 michael123 charlie1 ' +
  'charlie123 ashley123 nicole123 daniel123 hannah123 andrew123 thomas123 joshua123 samantha samantha1 elizabeth elizabeth1 victoria victoria1 alexander alexander1 ' +
  'benjamin christian christopher stephanie jonathan nathaniel danielle1 anthony1 patrick1 william1 matthew1 computer computer1 computer123 internet internet1 ' +
  'samsung1 samsung123 microsoft windows1 linux1234 ubuntu123 debian123 raspberry kubernetes docker123 jenkins1 jenkins123 gitlab123 github123 postgres postgres1 ' +
  'postgres123 mysql123 oracle123 database database1 server123 service1 service123 cisco123 ciscocisco manager1 manager123 operator operator1 supervisor company1 ' +
  'company123 business business1 whatever whatever1 trustno1 blink182 babygirl babygirl1 butterfly butterfly1 chocolate chocolate1 cheese123 cookie123 summer123 ' +
  'summer2023 summer2024 summer2025 summer2026 winter123 winter2023 winter2024 winter2025 winter2026 spring2024 spring2025 spring2026 autumn2024 autumn2025 ' +
  'autumn2026 january1 monday123 freedom1 freedom123 liverpool liverpool1 chelsea1 arsenal1 barcelona manchester mustang1 corvette mercedes porsche1 ferrari1 ' +
  'harley12 yamaha123 corvette1 hello123 hello1234 hellohello helloworld hello12345 goodluck goodbye1 blessed1 jesuschrist jesus123 angel123 angels123 killer123 ' +
  'hunter22 hunter123 soccer123 hockey123 tigger123 pepper123 ginger123 flower123 purple123 orange123 banana123 starlight stargate midnight midnight1 moonlight ' +
  'sunflower snowball rainbow1 rainbow123 diamond1 crystal1 scorpion mountain elephant dolphin1 panther1 alexandra fuckyou1 fuckyou123 fuckyou2 asshole1 bitch123 ' +
  'correcthorsebatterystaple qwerty!@# 1234qwer 1234abcd 123qweasd 123456qwerty 123456abc 1234567a 12345678a 12345abc 12345qwert 147258369 147852369 159357159 ' +
  '159753159 741852963 789456123 963852741 123654789 321654987 135792468 246813579 10203040 11223344 1122334455 112233445566 123454321 1234554321 12345654321 ' +
  '14141414 13131313 10101010 20202020 69696969 capstan1 capstan123'

const common = new Set(words.split(' '))

/** Whether a password is one that everybody tries first. */
function isCommonPassword(password: string): boolean {
  const folded = password.toLowerCase()
  return common.has(folded) || common.has(folded.replace(/[!.?*#$@_-]+$/, '')) || /^(.)\1*$/u.test(folded)
}

export { isCommonPassword }
